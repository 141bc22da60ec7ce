import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../src/errors.ts'
import { type JsonShape, scanJson } from '../../src/internal/json-scanner.ts'
import { errorOf } from './record-samples.ts'

const SHAPE: JsonShape = { a: 'value', b: 'base64', inner: { c: 'value' } }

function scan(text: string): unknown {
  return scanJson(text, SHAPE, (problem) => new InvalidInputError(problem))
}

function refusal(text: string): string {
  return errorOf(() => scan(text)).message
}

describe('the JSON scanner', () => {
  it('keeps the names of its shape and nothing else', () => {
    const found = scan(' {"x":[1,{"a":2}],"a":"1","inner":{"d":0,"c":true},"b":"QQ==","y":{"inner":{"c":null}}} ')
    expect(found).toEqual({ a: '1', inner: { c: true }, b: 'QQ==' })
    expect(Object.getPrototypeOf(found)).toBeNull()
  })

  it.each([
    ['{"a":1,"a":1}', 'has a twice'],
    ['{"a":null,"\\u0061":1}', 'has a twice'],
    ['{"b":"QQ==","x":0,"b":"QQ=="}', 'has b twice'],
    ['{"inner":{"c":1,"\\u0063":2}}', 'has inner.c twice'],
    ['{"inner":{},"inner":{}}', 'has inner twice'],
  ])('D-087 refuses a known name that is there twice, also under another spelling: %s', (text, message) => {
    expect(refusal(text)).toBe(message)
  })

  it('takes an unknown name, or a known one elsewhere, as often as it comes', () => {
    expect(scan('{"x":1,"x":2,"c":1,"c":2,"inner":{"a":1,"a":2}}')).toEqual({ inner: {} })
    for (const name of ['toString', 'constructor', '__proto__']) expect(scan(`{"${name}":1,"${name}":2}`)).toEqual({})
  })

  it.each([
    '',
    ' ',
    '{',
    '}',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '{"a"::1}',
    '{"a":1 "b":2}',
    '{"a":}',
    '{1:2}',
    '[',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1}',
    '{"a":1]',
    'tru',
    'True',
    'nul',
    'NaN',
    'undefined',
    'Infinity',
    '-',
    '+1',
    '01',
    '-01',
    '1.',
    '.5',
    '1.e1',
    '1e',
    '1e+',
    '0x10',
    '1_000',
    '\u0661',
    '"',
    '"abc',
    '"\\"',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\u\u0661234"',
    '"\\',
    '"\\u',
    '"\n"',
    '"\u0000"',
    '"\u001f"',
    '{"a\n":1}',
    '{"x":"\t"}',
    '/**/1',
    '1//',
    '\u00a01',
    '\ufeff1',
    '\u000b1',
    '{"a":1}x',
    '{"a":1}{}',
    '1 2',
    '{"Revoked":\u20ac\u20ac\u20ac}',
  ])('D-085 refuses what is not JSON: %j', (text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
    expect(refusal(text)).toMatch(
      /^is not JSON: (unexpected character at position \d+|it ends too early)$|^has text after/,
    )
  })

  it('D-091 reads plain integers, and NaN for every other number', () => {
    const numbers = { '0': 0, '7': 7, '1700000000': 1_700_000_000, '9007199254740991': Number.MAX_SAFE_INTEGER }
    for (const [text, value] of Object.entries(numbers)) expect(scan(`{"a":${text}}`)).toEqual({ a: value })
    for (const text of ['-0', '-1', '1.0', '1e9', '1E0', '0.5', '0e0', '1e-1', '12345678901234567']) {
      expect(scan(`{"a":${text}}`), text).toEqual({ a: Number.NaN })
    }
  })

  it('D-090 reads 64 levels of nesting and refuses 65, whatever they are made of', () => {
    const arrays = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    const objects = (depth: number): string => `${'{"x":'.repeat(depth)}0${'}'.repeat(depth)}`
    expect(scan(arrays(64))).toEqual([])
    expect(scan(objects(64))).toEqual({})
    expect(refusal(arrays(65))).toMatch(/^is nested deeper than 64/)
    expect(refusal(objects(65))).toMatch(/^is nested deeper than 64/)
    expect(refusal('['.repeat(1_000_000))).toMatch(/^is nested deeper than 64/)
    expect(refusal(`{"inner":{"c":${arrays(63)}}}`)).toMatch(/^is nested deeper than 64/)
  })

  it('D-086 reads every escape', () => {
    const text = '"\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0041 \\u00e9 \\ud83d\\udd11 \\uD800"'
    expect(scan(`{"a":${text},"b":${text}}`)).toEqual({ a: JSON.parse(text), b: JSON.parse(text) })
  })

  it('finds the end of a base64 string before and after a backslash', () => {
    expect(scan('{"b":"QQ==","a":"\\\\"}')).toEqual({ b: 'QQ==', a: '\\' })
    expect(scan('{"a":"\\\\","b":"QQ=="}')).toEqual({ b: 'QQ==', a: '\\' })
    expect(scan('{"x":"\\"","b":"Q\\u0051==","y":"\\""}')).toEqual({ b: 'QQ==' })
    expect(refusal('{"b":"QQ==')).toBe('is not JSON: it ends too early')
  })

  it('never shows the text in an error', () => {
    expect(refusal('{"a":secret}')).toBe('is not JSON: unexpected character at position 5')
  })

  it('accepts exactly what JSON.parse accepts, and reads it alike, but for duplicates and depth', () => {
    const token = fc.constantFrom(
      ...'{}[],: \n',
      '"',
      '"a"',
      '"inner"',
      '"c"',
      '"x"',
      '0',
      '1',
      '-',
      '.5',
      'e1',
      '\\',
      'null',
      'true',
    )
    const tokens = fc.array(token, { maxLength: 12 }).map((parts) => parts.join(''))
    const mutated = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), token)
      .map(
        ([json, at, inserted]) =>
          `${json.slice(0, at % (json.length + 1))}${inserted}${json.slice(at % (json.length + 1))}`,
      )
    fc.assert(
      fc.property(fc.oneof(tokens, fc.json({ maxDepth: 6 }), mutated), (text) => {
        const scanned = outcome(() => scan(text))
        if (scanned instanceof InvalidInputError && scanned.message.endsWith('twice')) return
        const parsed = outcome((): unknown => JSON.parse(text))
        expect(scanned instanceof InvalidInputError).toBe(parsed instanceof SyntaxError)
        if (typeof parsed === 'string' || typeof parsed === 'boolean' || parsed === null) expect(scanned).toBe(parsed)
      }),
      { numRuns: 3_000 },
    )
  })
})

function outcome(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}
