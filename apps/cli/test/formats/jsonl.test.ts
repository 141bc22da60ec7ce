import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Direction, PartitionSource } from '../../src/formats/format.ts'
import { createJsonlCodec } from '../../src/formats/jsonl.ts'
import { fakeCipher, runCodec } from '../fake-cipher.ts'

interface Options {
  readonly fields?: string[]
  readonly partition?: PartitionSource
  readonly allowMissing?: boolean
}

function codec(direction: Direction, options: Options = {}) {
  return createJsonlCodec({
    direction,
    cipher: fakeCipher,
    fields: options.fields ?? ['secret'],
    partition: options.partition ?? { kind: 'field', field: 'tenant' },
    concurrency: 4,
    allowMissing: options.allowMissing ?? false,
  })
}

async function encrypt(text: string | Uint8Array, options: Options = {}): Promise<string> {
  return (await runCodec(codec('encrypt', options), text)).output.toString()
}

async function decrypt(text: string, options: Options = {}): Promise<string> {
  return (await runCodec(codec('decrypt', options), text)).output.toString()
}

/** JSON text of any value, written with the white space, number forms and escapes that other writers use. */
const jsonText = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom(
    '1.0',
    '-0',
    '1E+2',
    '12345678901234567890',
    '0.1e-7',
    'null',
    '""',
    '"\\u0041\\/\\ud83d"',
    '[ 1 ,\t{} ]',
    '{"Key":1}',
  ),
)

const line = fc
  .record({
    tenant: fc.constantFrom('"t1"', '"\\u0074\\"2"', '17', '17.0', '"ü"'),
    secret: jsonText,
    other: jsonText,
    space: fc.constantFrom('', ' ', '\t', '\r'),
    secretFirst: fc.boolean(),
  })
  .map(({ tenant, secret, other, space, secretFirst }) => {
    const members = [`"tenant"${space}:${tenant}`, `"n":${other}`]
    const encrypted = [`"secret":${space}${secret}${space}`, `"s\\u0065cond" : ${secret}`]
    const all = secretFirst ? [...encrypted, ...members] : [...members, ...encrypted]
    return `${space}{${all.join(`,${space}`)}}${space}`
  })

const file = fc
  .record({
    lines: fc.array(fc.oneof({ weight: 9, arbitrary: line }, { weight: 1, arbitrary: fc.constantFrom('', ' ', '\r') })),
    mark: fc.boolean(),
    lastEnd: fc.boolean(),
  })
  .map(({ lines, mark, lastEnd }) => (mark ? '\uFEFF' : '') + lines.join('\n') + (lastEnd ? '\n' : ''))

const fields = ['second', 'secret']

test('a file comes back byte for byte, and what is written is JSON Lines', async () => {
  await fc.assert(
    fc.asyncProperty(file, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), async (text, pieces) => {
      const encrypted = await runCodec(codec('encrypt', { fields }), text, { pieces })
      const decrypted = await runCodec(codec('decrypt', { fields }), encrypted.output, { pieces })
      expect(decrypted.output.toString()).toBe(text)
      for (const one of encrypted.output.toString().replace('\uFEFF', '').split('\n')) {
        if (one.trim() !== '') expect(JSON.parse(one).secret).toHaveProperty('Key.ParentKeyMeta')
      }
    }),
    { numRuns: 200 },
  )
})

test('a run that goes on from any position gives what is missing', async () => {
  await fc.assert(
    fc.asyncProperty(file, async (text) => {
      const whole = await runCodec(codec('encrypt', { fields }), text, { pieces: [7] })
      for (const { position } of whole.batches.slice(0, -1)) {
        const rest = await runCodec(codec('encrypt', { fields }), text, { from: position, pieces: [9] })
        expect(Buffer.concat([whole.output.subarray(0, position.output), rest.output]).equals(whole.output)).toBe(true)
        expect(rest.end).toEqual(whole.end)
      }
    }),
    { numRuns: 40 },
  )
})

test('what is encrypted is the JSON text of the value', async () => {
  const encrypted = JSON.parse(await encrypt('{"tenant":"t","secret": {"a":1.0} }'))
  expect(Buffer.from(await fakeCipher.decrypt('t', JSON.stringify(encrypted.secret))).toString()).toBe('{"a":1.0}')
})

test('members of the same name further down are not touched', async () => {
  const text = '{"tenant":"t","a":{"secret":"x"},"b":[{"secret":"y"}],"secret":"z"}'
  const encrypted = await encrypt(text)
  expect(encrypted).toContain('{"secret":"x"}')
  expect(encrypted).toContain('[{"secret":"y"}]')
  expect(await decrypt(encrypted)).toBe(text)
})

test('__proto__ is a member like others', async () => {
  const options = { fields: ['__proto__'] }
  const text = '{"tenant":"t","__proto__":{"polluted":true}}'
  expect(await decrypt(await encrypt(text, options), options)).toBe(text)
  expect({}).not.toHaveProperty('polluted')
})

describe('a row without a chosen member', () => {
  const text = '{"tenant":"t","other":1}\n{"tenant":"t","secret":2}\n'

  test('is an error, so that a misspelt name leaves nothing in clear', async () => {
    await expect(encrypt(text)).rejects.toMatchObject({ place: { line: 1, column: 1 } })
  })

  test('is copied with allowMissing', async () => {
    const encrypted = await encrypt(text, { allowMissing: true })
    expect(encrypted.split('\n')[0]).toBe('{"tenant":"t","other":1}')
    expect(await decrypt(encrypted, { allowMissing: true })).toBe(text)
  })
})

test.each([
  ['a missing value', '{"a":1}\n{"tenant":"t","secret":}', 2, 24, /bad JSON: value expected/],
  ['a trailing comma', '{"tenant":"t","secret":1,}', 1, 26, /bad JSON: property name expected/],
  ['a comment', '{"tenant":"t",/*x*/"secret":1}', 1, 15, /bad JSON/],
  ['a number with a leading zero', '{"tenant":"t","secret":01}', 1, 25, /bad JSON/],
  ['a control character in a string', '{"tenant":"t","secret":"\u0001"}', 1, 24, /bad JSON: invalid character/],
  ['text after the object', '{"tenant":"t","secret":1} x', 1, 27, /bad JSON/],
  ['columns count characters', '{"tenant":"🎉é","secret":}', 1, 25, /bad JSON/],
  ['an array', '[1]', 1, 1, /not a JSON object/],
  ['a text', '"x"', 1, 1, /not a JSON object/],
  ['a member twice', '{"tenant":"t","secret":1,"secr\\u0065t":2}', 1, 26, /has 'secret' twice/],
  ['the partition twice', '{"tenant":"t","secret":1,"tenant":"u"}', 1, 26, /has 'tenant' twice/],
  ['no partition', '{"secret":1}', 1, 1, /no partition field 'tenant'/],
  ['a partition that is no text', '{"secret":1,"tenant":null}', 1, 22, /must be a non-empty string or a number/],
  ['an empty partition', '{"secret":1,"tenant":""}', 1, 22, /must be a non-empty string/],
])('%s is an error at its line and column', async (_name, text, lineNumber, column, message) => {
  const options = { allowMissing: text.startsWith('{"a":1}'), ...(text.startsWith('{"a":1}') ? fixed : {}) }
  const error = await encrypt(text, options).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT', place: { line: lineNumber, column } })
  expect(String(error)).toMatch(message)
})

const fixed = { partition: { kind: 'fixed', partition: 'p' } } as const

test('D-117: the message about bad JSON does not quote the text', async () => {
  const error = await encrypt('{"tenant":"t","secret":"123-45-6789" x}').catch((caught: unknown) => caught)
  expect(String(error)).not.toContain('123-45')
  expect(error).not.toHaveProperty('cause')
})

test('deep nesting is an error, not a crash', async () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
  const error = await encrypt(`{"tenant":"t","secret":${deep}}`).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT', place: { line: 1 } })
})

test('text that is not UTF-8 is an error at its line', async () => {
  await expect(
    encrypt(Buffer.from('{"a":1}\n{"secret":"\xff"}', 'latin1'), { ...fixed, allowMissing: true }),
  ).rejects.toMatchObject({
    message: 'line 2: not valid UTF-8',
  })
})

test('a member that is not encrypted, or of another partition, is an error at its place', async () => {
  await expect(decrypt('{"tenant":"t","secret":"x"}')).rejects.toMatchObject({
    code: 'ERR_ASHERAH_INVALID_INPUT',
    place: { line: 1, column: 24, field: 'secret' },
  })
  const encrypted = await encrypt('{"tenant":"t","secret":"x"}')
  await expect(decrypt(encrypted.replace('"tenant":"t"', '"tenant":"u"'))).rejects.toMatchObject({
    code: 'ERR_ASHERAH_WRONG_PARTITION',
    place: { line: 1, column: 24, field: 'secret' },
  })
})

test.each(['x', '1,"admin":true', '1\n', ''])(
  'a record of %j, which is not one JSON value, cannot change the line',
  async (plain) => {
    const record = await fakeCipher.encrypt('t', Buffer.from(plain))
    await expect(decrypt(`{"tenant":"t","secret":${record}}`)).rejects.toThrow(/not JSON text on one line/)
  },
)
