import { InvalidConfigError } from '@asherah/core/backend'

/** Keywords as they were written, and values without their quotes; the last of equal keywords wins, as in ADO.NET. */
export type Keywords = ReadonlyMap<string, string>

/**
 * `Keyword=value;…` as ADO.NET, JDBC and ODBC write it: values may stand in `"…"`, `'…'` or `{…}`, where the closing sign
 * is written twice to mean itself.
 *
 * @throws InvalidConfigError that names no value.
 */
export function parseKeywords(text: string): Keywords {
  const found = new Map<string, string>()
  let at = 0
  while (at < text.length) {
    const equals = text.indexOf('=', at)
    const semicolon = text.indexOf(';', at)
    if (semicolon >= 0 && (equals < 0 || semicolon < equals)) {
      if (text.slice(at, semicolon).trim() !== '') throw notAKeyword()
      at = semicolon + 1
      continue
    }
    if (equals < 0) {
      if (text.slice(at).trim() === '') break
      throw notAKeyword()
    }
    const keyword = text.slice(at, equals).trim()
    if (keyword === '') throw notAKeyword()
    const { value, end } = readValue(text, equals + 1)
    found.set(keyword, value)
    at = end
  }
  return found
}

function notAKeyword(): InvalidConfigError {
  return new InvalidConfigError(
    'connectionString: a part between two semicolons is not keyword=value; a value with a semicolon must be quoted',
  )
}

const CLOSING: Readonly<Record<string, string>> = { '"': '"', "'": "'", '{': '}' }

function readValue(text: string, from: number): { readonly value: string; readonly end: number } {
  const start = from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0)
  const closing = CLOSING[text.charAt(start)]
  if (closing === undefined) {
    const semicolon = text.indexOf(';', start)
    const end = semicolon < 0 ? text.length : semicolon
    return { value: text.slice(start, end).trim(), end: end + 1 }
  }
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== closing) value += text[at]
    else if (text[at + 1] === closing) {
      value += closing
      at += 1
    } else {
      const rest = /^\s*(;|$)/.exec(text.slice(at + 1))
      if (rest === null) throw new InvalidConfigError('connectionString: there is text after a quoted value')
      return { value, end: at + 1 + rest[0].length }
    }
  }
  throw new InvalidConfigError('connectionString: a quoted value does not end')
}
