/** MS-TDS 2.2.6.5: what PRELOGIN says of encryption. */
export const ENCRYPTION = { off: 0, on: 1, notSupported: 2, required: 3 } as const

const OPTION = {
  version: 0,
  encryption: 1,
  instance: 2,
  threadId: 3,
  mars: 4,
  terminator: 0xff,
} as const

/** What we look at of a client's PRELOGIN. */
export interface Prelogin {
  readonly encryption: number
}

/** @throws Error where the bytes are no PRELOGIN. */
export function parsePrelogin(data: Buffer): Prelogin {
  let encryption: number = ENCRYPTION.notSupported
  for (let at = 0; data.readUInt8(at) !== OPTION.terminator; at += 5) {
    if (data.readUInt8(at) === OPTION.encryption) encryption = data.readUInt8(data.readUInt16BE(at + 1))
  }
  return { encryption }
}

/** The server's answer: version 16.0, and what it says of encryption. */
export function preloginAnswer(encryption: number): Buffer {
  const options: readonly (readonly [number, Buffer])[] = [
    [OPTION.version, Buffer.from([16, 0, 0x10, 0x61, 0, 0])],
    [OPTION.encryption, Buffer.from([encryption])],
    [OPTION.instance, Buffer.from([0])],
    [OPTION.threadId, Buffer.alloc(0)],
    [OPTION.mars, Buffer.from([0])],
  ]
  const heads: Buffer[] = []
  let offset = options.length * 5 + 1
  for (const [token, value] of options) {
    const head = Buffer.alloc(5)
    head.writeUInt8(token, 0)
    head.writeUInt16BE(offset, 1)
    head.writeUInt16BE(value.length, 3)
    heads.push(head)
    offset += value.length
  }
  return Buffer.concat([...heads, Buffer.from([OPTION.terminator]), ...options.map(([, value]) => value)])
}

/** What we look at of a LOGIN7 (MS-TDS 2.2.6.4). */
export interface Login7 {
  readonly userName: string
  readonly password: string
  readonly database: string
  readonly serverName: string
  readonly appName: string
  readonly packetSize: number
  readonly readOnlyIntent: boolean
  /** A federated login: by a token that came along, or by one that the client fetches when told where. */
  readonly federated: { readonly kind: 'token'; readonly token: string } | { readonly kind: 'fetch' } | undefined
  /** It sent the UTF-8 feature, which the answer must acknowledge. */
  readonly utf8: boolean
}

/** @throws Error where the bytes are no LOGIN7, or ask for integrated (NTLM) login. */
export function parseLogin7(data: Buffer): Login7 {
  const text = (at: number): string => bytesAt(data, at, 2).toString('utf16le')
  if (data.readUInt16LE(80) !== 0) throw new Error('this server has no integrated login (NTLM)')
  const features = parseFeatures(data)
  return {
    packetSize: data.readUInt32LE(8),
    readOnlyIntent: (data.readUInt8(26) & 0x20) !== 0,
    userName: text(40),
    password: unscramble(bytesAt(data, 44, 2)).toString('utf16le'),
    appName: text(48),
    serverName: text(52),
    database: text(68),
    ...features,
  }
}

/** An (offset, length) pair in the fixed part points at it. */
function bytesAt(data: Buffer, at: number, unit: number): Buffer {
  const offset = data.readUInt16LE(at)
  return data.subarray(offset, offset + data.readUInt16LE(at + 2) * unit)
}

function unscramble(bytes: Buffer): Buffer {
  return Buffer.from(
    bytes.map((byte) => {
      const plain = byte ^ 0xa5
      return ((plain & 0x0f) << 4) | (plain >> 4)
    }),
  )
}

function parseFeatures(data: Buffer): Pick<Login7, 'federated' | 'utf8'> {
  let federated: Login7['federated']
  let utf8 = false
  const hasExtension = (data.readUInt8(27) & 0x10) !== 0
  let at = hasExtension ? data.readUInt32LE(data.readUInt16LE(56)) : data.length
  while (at < data.length && data.readUInt8(at) !== 0xff) {
    const id = data.readUInt8(at)
    const content = data.subarray(at + 5, at + 5 + data.readUInt32LE(at + 1))
    if (id === 0x02) federated = parseFederated(content)
    if (id === 0x0a) utf8 = true
    at += 5 + content.length
  }
  return { federated, utf8 }
}

function parseFederated(content: Buffer): Login7['federated'] {
  const library = content.readUInt8(0) >> 1
  if (library === 2) return { kind: 'fetch' }
  if (library === 1)
    return { kind: 'token', token: content.subarray(5, 5 + content.readUInt32LE(1)).toString('utf16le') }
  throw new Error(`this server knows no federated login by library ${library}`)
}

/** The token of a FEDAUTH token message: a length of all, then the token with its own. */
export function parseFederatedToken(data: Buffer): string {
  return data.subarray(8, 8 + data.readUInt32LE(4)).toString('utf16le')
}
