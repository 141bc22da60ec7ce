import { type Column, typeInfo, type Value, valueBytes } from './types.ts'

/** An error of the server, as a client sees it. */
export interface ServerError {
  readonly number: number
  readonly message: string
  /** Severity: 20 and up end the connection. */
  readonly severity: number
  readonly state?: number
}

/** Bits of DONE's status. */
export const DONE = { final: 0, more: 0x01, error: 0x02, count: 0x10, attention: 0x20 } as const

const DONE_TOKEN = { batch: 0xfd, procedure: 0xfe, inProcedure: 0xff } as const

/** Ends a statement, a batch or a procedure. */
export function done(kind: keyof typeof DONE_TOKEN, status: number, rows = 0): Buffer {
  const bytes = Buffer.alloc(13)
  bytes.writeUInt8(DONE_TOKEN[kind], 0)
  bytes.writeUInt16LE(status, 1)
  bytes.writeBigUInt64LE(BigInt(rows), 5)
  return bytes
}

/** The return status of a procedure. */
export function returnStatus(status: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes.writeUInt8(0x79, 0)
  bytes.writeInt32LE(status, 1)
  return bytes
}

export function errorToken(error: ServerError): Buffer {
  const head = Buffer.alloc(6)
  head.writeInt32LE(error.number, 0)
  head.writeUInt8(error.state ?? 1, 4)
  head.writeUInt8(error.severity, 5)
  const line = Buffer.alloc(4)
  line.writeUInt32LE(1, 0)
  return withLength(0xaa, Buffer.concat([head, shortText(error.message), byteText('tds-stand-in'), byteText(''), line]))
}

export function loginAck(): Buffer {
  const version = Buffer.from([0x74, 0, 0, 4])
  const program = Buffer.from([16, 0, 0x10, 0x61])
  return withLength(0xad, Buffer.concat([Buffer.from([1]), version, byteText('Microsoft SQL Server'), program]))
}

/** ENVCHANGE of a text: 1 is the database, 4 the packet size. */
export function textChange(type: 1 | 4, now: string, before: string): Buffer {
  return withLength(0xe3, Buffer.concat([Buffer.from([type]), byteText(now), byteText(before)]))
}

/** ENVCHANGE: the client shall log in there instead (read-only routing, Azure's redirect). */
export function routingChange(server: string, port: number): Buffer {
  const name = Buffer.from(server, 'utf16le')
  const head = Buffer.alloc(7)
  head.writeUInt16LE(5 + name.length, 0)
  head.writeUInt8(0, 2)
  head.writeUInt16LE(port, 3)
  head.writeUInt16LE(server.length, 5)
  return withLength(0xe3, Buffer.concat([Buffer.from([20]), head, name, Buffer.from([0, 0])]))
}

/** ENVCHANGE: the session was reset as the client asked. */
export function resetDone(): Buffer {
  return withLength(0xe3, Buffer.from([18, 0, 0]))
}

/** FEATUREEXTACK of what the client sent. */
export function featureAck(features: { readonly utf8: boolean; readonly federated: boolean }): Buffer {
  const acks: Buffer[] = []
  if (features.federated) acks.push(Buffer.from([0x02, 0, 0, 0, 0]))
  if (features.utf8) acks.push(Buffer.from([0x0a, 1, 0, 0, 0, 1]))
  return acks.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0xae]), ...acks, Buffer.from([0xff])])
}

/** FEDAUTHINFO: where the client gets its token, and for which resource. */
export function federatedInfo(stsUrl: string, resource: string): Buffer {
  const values = [Buffer.from(stsUrl, 'utf16le'), Buffer.from(resource, 'utf16le')]
  const head = Buffer.alloc(4 + values.length * 9)
  head.writeUInt32LE(values.length, 0)
  let offset = head.length
  values.forEach((value, i) => {
    head.writeUInt8(i + 1, 4 + i * 9)
    head.writeUInt32LE(value.length, 5 + i * 9)
    head.writeUInt32LE(offset, 9 + i * 9)
    offset += value.length
  })
  const content = Buffer.concat([head, ...values])
  const length = Buffer.alloc(5)
  length.writeUInt8(0xee, 0)
  length.writeUInt32LE(content.length, 1)
  return Buffer.concat([length, content])
}

export function columnMetadata(columns: readonly Column[]): Buffer {
  const count = Buffer.alloc(3)
  count.writeUInt8(0x81, 0)
  count.writeUInt16LE(columns.length, 1)
  const each = columns.map(({ name, type }) =>
    Buffer.concat([Buffer.from([0, 0, 0, 0, 1, 0]), typeInfo(type), byteText(name)]),
  )
  return Buffer.concat([count, ...each])
}

/** A ROW, or an NBCROW where a value is null. */
export function rowToken(columns: readonly Column[], values: readonly Value[]): Buffer {
  const bodies = columns.map(({ type }, i) => ({ value: values[i] ?? null, type }))
  if (bodies.every(({ value }) => value !== null)) {
    return Buffer.concat([Buffer.from([0xd1]), ...bodies.map(({ type, value }) => valueBytes(type, value))])
  }
  const nulls = Buffer.alloc(Math.ceil(columns.length / 8))
  bodies.forEach(({ value }, i) => {
    if (value === null) nulls.writeUInt8(nulls.readUInt8(i >> 3) | (1 << (i & 7)), i >> 3)
  })
  const present = bodies.filter(({ value }) => value !== null)
  return Buffer.concat([Buffer.from([0xd2]), nulls, ...present.map(({ type, value }) => valueBytes(type, value))])
}

function withLength(token: number, content: Buffer): Buffer {
  const head = Buffer.alloc(3)
  head.writeUInt8(token, 0)
  head.writeUInt16LE(content.length, 1)
  return Buffer.concat([head, content])
}

function byteText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'utf16le')])
}

function shortText(text: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16LE(text.length, 0)
  return Buffer.concat([length, Buffer.from(text, 'utf16le')])
}
