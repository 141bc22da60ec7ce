/** MS-TDS 2.2.3.1.1: what a message is. */
export const PACKET = {
  sqlBatch: 0x01,
  rpc: 0x03,
  tabularResult: 0x04,
  attention: 0x06,
  federatedToken: 0x08,
  login7: 0x10,
  prelogin: 0x12,
} as const

const HEADER = 8
const END_OF_MESSAGE = 0x01
const RESET_CONNECTION = 0x08

/** A whole message, of any number of packets. */
export interface TdsMessage {
  readonly type: number
  readonly data: Buffer
  /** The client asks for a fresh session before this request. */
  readonly reset: boolean
}

/** Puts packets together again; bytes may arrive in pieces of any size. */
export interface PacketReader {
  /** The messages that these bytes complete. */
  push(bytes: Buffer): TdsMessage[]
}

/** A reader for one direction of one connection. */
export function createPacketReader(): PacketReader {
  let pending: Buffer = Buffer.alloc(0)
  let parts: Buffer[] = []
  let reset = false
  return {
    push(bytes) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
      const messages: TdsMessage[] = []
      while (pending.length >= HEADER) {
        const length = pending.readUInt16BE(2)
        if (length < HEADER) throw new Error(`a TDS packet says that it has ${length} bytes`)
        if (pending.length < length) break
        const [type = 0, status = 0] = pending
        parts.push(pending.subarray(HEADER, length))
        reset ||= (status & RESET_CONNECTION) !== 0
        pending = pending.subarray(length)
        if ((status & END_OF_MESSAGE) === 0) continue
        messages.push({ type, data: Buffer.concat(parts), reset })
        parts = []
        reset = false
      }
      return messages
    },
  }
}

/** A message as packets of at most `packetSize` bytes. */
export function toPackets(type: number, data: Buffer, packetSize: number): Buffer {
  const room = packetSize - HEADER
  const packets: Buffer[] = []
  let id = 1
  for (let at = 0; at === 0 || at < data.length; at += room) {
    const content = data.subarray(at, at + room)
    const header = Buffer.alloc(HEADER)
    header.writeUInt8(type, 0)
    header.writeUInt8(at + room >= data.length ? END_OF_MESSAGE : 0, 1)
    header.writeUInt16BE(HEADER + content.length, 2)
    header.writeUInt8(id++ & 0xff, 6)
    packets.push(header, content)
  }
  return Buffer.concat(packets)
}
