import { readParameter, type SqlType, type Value } from './types.ts'

/** A parameter of a call: its name without the `@`. */
export interface Parameter {
  readonly name: string
  readonly type: SqlType
  readonly value: Value
}

const SP_EXECUTESQL = 10

/** The text of an SQLBatch (MS-TDS 2.2.6.7), after its headers. */
export function parseBatch(data: Buffer): string {
  return data.toString('utf16le', data.readUInt32LE(0))
}

/** The statement and parameters of an RPC (MS-TDS 2.2.6.6). */
export interface ExecuteSql {
  readonly text: string
  readonly parameters: readonly Parameter[]
}

/** @throws Error for a procedure other than `sp_executesql`. */
export function parseRpc(data: Buffer): ExecuteSql {
  let at = data.readUInt32LE(0)
  const nameLength = data.readUInt16LE(at)
  at += 2
  if (nameLength === 0xffff) {
    const id = data.readUInt16LE(at)
    if (id !== SP_EXECUTESQL) throw new Error(`this server does not know the procedure of number ${id}`)
    at += 2
  } else {
    const name = data.toString('utf16le', at, at + nameLength * 2)
    if (name.toLowerCase() !== 'sp_executesql') throw new Error(`this server does not know the procedure ${name}`)
    at += nameLength * 2
  }
  at += 2
  const parameters: Parameter[] = []
  while (at < data.length) {
    const length = data.readUInt8(at)
    const name = data.toString('utf16le', at + 1, at + 1 + length * 2).replace(/^@/, '')
    const { type, value, end } = readParameter(data, at + 1 + length * 2 + 1)
    parameters.push({ name, type, value })
    at = end
  }
  // The first two are the statement and the declaration of the others, whose types came with them.
  const [statement, , ...rest] = parameters
  if (typeof statement?.value !== 'string') throw new Error('sp_executesql without a statement')
  return { text: statement.value, parameters: rest }
}
