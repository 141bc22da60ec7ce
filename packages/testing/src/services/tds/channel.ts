import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { createPacketReader, PACKET, type PacketReader, type TdsMessage, toPackets } from './packets.ts'

/** One client's connection: whole messages in, whole messages out. */
export interface Channel {
  /** Encrypted now. */
  readonly secure: boolean
  packetSize: number
  send(type: number, data: Buffer): void
  /** From here on TLS, whose handshake goes inside PRELOGIN messages (MS-TDS 3.2.5.2). */
  startTls(context: SecureContext): void
  drop(): void
}

const FIRST_PACKET_SIZE = 4_096

/**
 * @param pieces How many bytes go in one write; 0: all.
 */
export function createChannel(
  socket: Socket,
  isSecure: boolean,
  pieces: () => number,
  onMessage: (message: TdsMessage) => void,
): Channel {
  const outer = createPacketReader()
  /** Where the messages go: the socket, or TLS over it. */
  let out: Duplex = socket
  let secure = isSecure
  /** Gets what the client sends inside PRELOGIN messages, then what it sends bare. */
  let intoTls: ((bytes: Buffer) => void) | undefined
  let shaking = false

  const receive = (reader: PacketReader, bytes: Buffer): void => {
    try {
      for (const message of reader.push(bytes)) onMessage(message)
    } catch {
      // Whoever does not speak TDS is not spoken to.
      socket.destroy()
    }
  }
  socket.on('data', (bytes: Buffer) => {
    if (intoTls === undefined) receive(outer, bytes)
    else if (!shaking) intoTls(bytes)
    else for (const { data } of outer.push(bytes)) intoTls(data)
  })
  socket.on('error', () => socket.destroy())

  return {
    get secure() {
      return secure
    },
    packetSize: FIRST_PACKET_SIZE,
    send(type, data) {
      const bytes = toPackets(type, data, this.packetSize)
      const step = pieces() || bytes.length
      for (let at = 0; at < bytes.length; at += step) out.write(bytes.subarray(at, at + step))
    },
    startTls(context) {
      const inside = createPacketReader()
      let flight: Buffer[] = []
      /** What TLS writes in one go during the handshake is one message. */
      const flush = (): void => {
        if (flight.length > 0) socket.write(toPackets(PACKET.prelogin, Buffer.concat(flight), FIRST_PACKET_SIZE))
        flight = []
      }
      const inner = new Duplex({
        read() {},
        write(bytes: Buffer, _, written) {
          if (!shaking) socket.write(bytes)
          else {
            if (flight.length === 0) setImmediate(flush)
            flight.push(bytes)
          }
          written()
        },
      })
      const tls = new TLSSocket(inner, { isServer: true, secureContext: context })
      tls.on('error', () => socket.destroy())
      tls.once('secure', () => {
        secure = true
        out = tls
        // Node says so before it has written the last of the handshake, which still goes inside a message.
        setImmediate(() => {
          flush()
          shaking = false
        })
      })
      shaking = true
      intoTls = (bytes) => {
        if (bytes.length > 0) inner.push(bytes)
      }
      socket.once('close', () => tls.destroy())
      tls.on('data', (bytes: Buffer) => receive(inside, bytes))
    },
    drop: () => socket.destroy(),
  }
}
