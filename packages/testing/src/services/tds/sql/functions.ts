import { trimEnd } from '../collation.ts'
import type { SqlType } from '../types.ts'
import type { Scope } from './evaluate.ts'
import { SqlError } from './sql-error.ts'
import { isText, type Typed } from './values.ts'

const INT: SqlType = { kind: 'int' }
const TEXT: SqlType = { kind: 'nvarchar', length: 0 }

type SqlFunction = (operands: readonly Typed[], scope: Scope) => Typed

const FUNCTIONS: Readonly<Record<string, SqlFunction>> = {
  /** Without trailing spaces. */
  LEN: ([operand]) => overText(operand, (text) => ({ type: INT, value: BigInt(trimEnd(text).length) })),
  DATALENGTH: ([operand]) =>
    overText(operand, (text) => {
      const width = operand?.type.kind === 'nvarchar' ? 2 : 1
      return { type: INT, value: BigInt(text.length * width) }
    }),
  LOWER: ([operand]) => overText(operand, (text) => ({ ...operand, type: TEXT, value: text.toLowerCase() })),
  ISJSON: ([operand]) => overText(operand, (text) => ({ type: INT, value: isJson(text) ? 1n : 0n })),
  JSON_MODIFY: ([json, path, change]) => overText(json, (text) => modifyJson(text, path?.value, change)),
  OBJECT_ID: ([name], scope) => ({ type: INT, value: scope.objectId(String(name?.value)) }),
}

/** @throws SqlError for a function that this server does not have. */
export function callFunction(name: string, operands: readonly Typed[], scope: Scope): Typed {
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (found === undefined) throw new SqlError(195, `this server does not know the function ${name}`)
  return found(operands, scope)
}

function overText(operand: Typed | undefined, action: (text: string) => Typed): Typed {
  if (operand === undefined || (!isText(operand.type) && operand.value !== null)) {
    throw new SqlError(8116, 'this server has that function only of text')
  }
  return operand.value === null ? { type: INT, value: null } : action(String(operand.value))
}

function isJson(text: string): boolean {
  const parsed = parseJson(text)
  return typeof parsed === 'object' && parsed !== null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Only `$.Name` and a BIT: the rest of the text stays as it is, byte for byte, as on a real server. */
function modifyJson(text: string, path: unknown, change: Typed | undefined): Typed {
  const [, key] = typeof path === 'string' ? (/^\$\.(\w+)$/.exec(path) ?? []) : []
  if (key === undefined || change?.type.kind !== 'bit' || change.value === null) {
    throw new SqlError(13607, 'this server has JSON_MODIFY only for $.Name and a bit')
  }
  const parsed = parseJson(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new SqlError(13609, 'JSON text is not properly formatted.')
  }
  const shown = change.value === 0n ? 'false' : 'true'
  const at = topLevelValue(text, key)
  if (at !== undefined) return { type: TEXT, value: text.slice(0, at.start) + shown + text.slice(at.end) }
  const close = text.lastIndexOf('}')
  const comma = Object.keys(parsed).length === 0 ? '' : ','
  return { type: TEXT, value: `${text.slice(0, close)}${comma}"${key}":${shown}${text.slice(close)}` }
}

/** Where the value of a key of the outermost object stands. */
function topLevelValue(text: string, key: string): { readonly start: number; readonly end: number } | undefined {
  const pieces = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g
  let depth = 0
  let name: string | undefined
  for (let piece = pieces.exec(text); piece !== null; piece = pieces.exec(text)) {
    const [shown] = piece
    if (depth === 1 && name === key && shown !== ':') {
      if (shown === '{' || shown === '[') throw new SqlError(13607, 'this server does not replace objects in JSON')
      return { start: piece.index, end: piece.index + shown.length }
    }
    if (shown === '{' || shown === '[') depth += 1
    if (shown === '}' || shown === ']') depth -= 1
    if (depth !== 1 || shown === ',' || shown === '{') name = undefined
    else if (shown.startsWith('"') && name === undefined) name = String(JSON.parse(shown))
  }
  return undefined
}
