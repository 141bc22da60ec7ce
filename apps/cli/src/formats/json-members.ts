import { type ParseErrorCode, printParseErrorCode, visit } from 'jsonc-parser'

/** A member of a JSON object, by where its value stands in the text. */
export interface JsonMember {
  readonly name: string
  /** Where the name starts. */
  readonly at: number
  /** Where the value starts and ends. */
  readonly start: number
  readonly end: number
}

/** What is wrong with a text, and at which character. */
export interface JsonFault {
  readonly message: string
  readonly offset: number
}

/** The top-level members of an object, in order, duplicates included; or what is wrong with the text. */
export type JsonObjectScan = { readonly members: readonly JsonMember[] } | { readonly fault: JsonFault }

/** Scans a text that should be one JSON object (RFC 8259, nothing more lenient). */
export function scanJsonObject(text: string): JsonObjectScan {
  const strict = isJson(text)
  const members: JsonMember[] = []
  let fault: JsonFault | undefined
  let depth = 0
  let top: 'object' | 'other' | undefined
  let open: { name: string; at: number } | undefined
  let valueAt = 0

  const begin = (offset: number, kind: 'object' | 'other'): void => {
    top ??= kind
    depth++
    if (depth === 2) valueAt = offset
  }
  const value = (start: number, end: number): void => {
    if (depth !== 1 || open === undefined) return
    members.push({ ...open, start, end })
    open = undefined
  }
  try {
    visit(
      text,
      {
        onObjectBegin: (offset) => begin(offset, 'object'),
        onArrayBegin: (offset) => begin(offset, 'other'),
        onObjectEnd: (offset, length) => {
          depth--
          value(valueAt, offset + length)
        },
        onArrayEnd: (offset, length) => {
          depth--
          value(valueAt, offset + length)
        },
        onObjectProperty: (name, at) => {
          if (depth === 1) open = { name, at }
        },
        onLiteralValue: (_value, offset, length) => {
          top ??= 'other'
          value(offset, offset + length)
        },
        onError: (code, offset) => {
          fault ??= { message: faultMessage(code), offset }
        },
      },
      { disallowComments: true, allowTrailingComma: false },
    )
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { fault: { message: 'JSON nested too deeply', offset: 0 } }
  }
  // JSON.parse decides; its message is dropped, since it quotes the text.
  if (fault !== undefined || !strict) return { fault: fault ?? { message: 'not valid JSON', offset: 0 } }
  if (top !== 'object') return { fault: { message: 'not a JSON object', offset: 0 } }
  return { members }
}

/** True when a text is one JSON value, white space around it allowed. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** `CloseBraceExpected` becomes `bad JSON: close brace expected`. */
function faultMessage(code: ParseErrorCode): string {
  const words = printParseErrorCode(code).replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return `bad JSON: ${words.charAt(0).toLowerCase()}${words.slice(1)}`
}
