import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CorruptRecordError, InvalidInputError } from '../../src/errors.ts'
import {
  createDataRowRecord,
  createDataRowTemplate,
  decodeBase64,
  parseDataRowRecord,
  parseEnvelopeKeyRecord,
  scanDataRowRecord,
  serializeDataRowRecord,
  serializeEnvelopeKeyRecord,
  validateEnvelopeKeyRecord,
} from '../../src/internal/record-codec.ts'
import type { DataRowRecord, EnvelopeKeyRecord, KeyMeta } from '../../src/types.ts'
import { IK_CREATED, IK_ID, parseAny, plain, SAMPLE_TEXT, SK_ID } from './record-samples.ts'

const LIMITS = { maxPlaintextBytes: 64 }

const tenDigits = fc.integer({ min: 1_000_000_000, max: 9_999_999_999 })
const created = fc.oneof(
  tenDigits,
  fc.maxSafeNat().filter((n) => n > 0),
)
const keyId = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.stringMatching(/^_IK_[a-z0-9_"\\-]{1,30}$/),
)
const keyMeta = fc.record({ keyId, created }, { noNullPrototype: true })
const dataRow = fc
  .record({
    created,
    encryptedKey: fc.uint8Array({ minLength: 60, maxLength: 60 }),
    parentKeyMeta: keyMeta,
    data: fc.uint8Array({ minLength: 28, maxLength: 92 }),
  })
  .map(({ data, ...key }) => createDataRowRecord({ key, data }))

const isSystemKey = (meta: KeyMeta): boolean => meta.keyId.startsWith('_SK_')
const envelopeKey: fc.Arbitrary<EnvelopeKeyRecord> = fc
  .record(
    {
      keyId: fc.oneof(keyId, fc.constant(SK_ID)),
      created,
      encryptedKey: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      revoked: fc.boolean(),
      parentKeyMeta: keyMeta,
    },
    { requiredKeys: ['keyId', 'created', 'encryptedKey', 'revoked'], noNullPrototype: true },
  )
  .filter((record) => record.parentKeyMeta === undefined || !isSystemKey(record))

/** Small changes of a text, with pieces that mean something in it. */
const edit = fc.record({
  at: fc.nat({ max: 400 }),
  removed: fc.nat({ max: 12 }),
  inserted: fc.oneof(
    fc.constantFrom(
      '',
      '"',
      '\\',
      '{',
      '}',
      ',',
      ':',
      '0',
      '1',
      '9',
      '.0',
      'e1',
      '-',
      '=',
      '/',
      '+',
      'A',
      ' ',
      '\n',
      '\u0000',
    ),
    fc.constantFrom(
      '\\/',
      '\\u0041',
      '\ud83d\udd11',
      '\ud800',
      '\u0141',
      '\u00e9',
      '"Data":"',
      '","Extra":"',
      '"Key":',
      'null',
    ),
  ),
})

function mutate(text: string, edits: readonly { at: number; removed: number; inserted: string }[]): string {
  return edits.reduce((result, { at, removed, inserted }) => {
    const start = at % (result.length + 1)
    return result.slice(0, start) + inserted + result.slice(start + removed)
  }, text)
}

/** What the two steps of the fast path make of a text: a record, a refusal, or (undefined) nothing. */
function fastOutcome(json: string, template?: KeyMeta): unknown {
  const row = scanDataRowRecord(json, LIMITS, template === undefined ? undefined : createDataRowTemplate(template))
  if (row === undefined) return undefined
  const [keyStart, keyEnd, dataStart, dataEnd] = row.spans
  return outcome(() =>
    createDataRowRecord({
      key: {
        created: row.created,
        encryptedKey: decodeBase64(json.slice(keyStart, keyEnd), 'Key.Key'),
        parentKeyMeta: { keyId: row.parentKeyId, created: row.parentCreated },
      },
      data: decodeBase64(json.slice(dataStart, dataEnd), 'Data'),
    }),
  )
}

function outcome(read: () => DataRowRecord): unknown {
  try {
    return plain(read())
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError)
    return 'refused'
  }
}

/** Either a refusal of the one class, or a record that can be written and read again. */
function checkOutcome(read: () => DataRowRecord): void {
  let record: DataRowRecord
  try {
    record = read()
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError)
    return
  }
  expect(plain(parseDataRowRecord(serializeDataRowRecord(record)))).toEqual(plain(record))
}

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
  key: fc.constantFrom(
    'Key',
    'Data',
    'key',
    'data',
    'Created',
    'created',
    'parentKeyMeta',
    'keyId',
    '__proto__',
    'revoked',
  ),
})

describe('properties of the record codec', () => {
  it('a data row record that is written is read back, in every form', () => {
    fc.assert(
      fc.property(dataRow, (record) => {
        const text = serializeDataRowRecord(record)
        expect(JSON.stringify(record)).toBe(text)
        for (const form of [text, Buffer.from(text), JSON.parse(text), record, structuredClone(record)]) {
          expect(plain(parseAny(form))).toEqual(plain(record))
        }
      }),
    )
  })

  it('an envelope key record that is written is read back', () => {
    fc.assert(
      fc.property(envelopeKey, (record) => {
        expect(parseEnvelopeKeyRecord(serializeEnvelopeKeyRecord(record), record)).toStrictEqual(record)
        expect(validateEnvelopeKeyRecord(structuredClone(record), record)).toStrictEqual(record)
      }),
    )
  })

  it('the fast scanner agrees with the strict parser on canonical texts, and knows the usual ones', () => {
    let recognised = 0
    fc.assert(
      fc.property(dataRow, (record) => {
        const text = serializeDataRowRecord(record)
        const strict = outcome(() => parseDataRowRecord(text, LIMITS))
        for (const template of [undefined, record.key.parentKeyMeta]) {
          const fast = fastOutcome(text, template)
          if (fast !== undefined) expect(fast).toEqual(strict)
          if (fast !== undefined && strict !== 'refused') recognised++
        }
      }),
    )
    expect(recognised).toBeGreaterThan(10)
  })

  it('the fast scanner never reads a mutated text otherwise than the strict parser', () => {
    const seen = { recognised: 0, refusedAfterScan: 0, leftToParser: 0 }
    const start = fc.oneof(fc.constant(SAMPLE_TEXT), dataRow.map(serializeDataRowRecord))
    fc.assert(
      fc.property(start, fc.array(edit, { minLength: 1, maxLength: 3 }), (text, edits) => {
        const mutated = mutate(text, edits)
        const strict = outcome(() => parseDataRowRecord(mutated, LIMITS))
        for (const template of [undefined, { keyId: IK_ID, created: IK_CREATED }]) {
          const fast = fastOutcome(mutated, template)
          if (fast === undefined) seen.leftToParser++
          else if (fast === 'refused') seen.refusedAfterScan++
          else seen.recognised++
          if (fast !== undefined) expect(fast).toEqual(strict)
        }
      }),
      { numRuns: 10_000 },
    )
    expect(seen.recognised).toBeGreaterThan(50)
    expect(seen.refusedAfterScan).toBeGreaterThan(10)
    expect(seen.leftToParser).toBeGreaterThan(50)
  })

  it('D-139 no text, bytes or value gives anything but a record or an InvalidInputError', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => mutate(SAMPLE_TEXT, edits)),
    )
    const input = fc.oneof(
      text,
      text.map((value) => Buffer.from(value)),
      fc.uint8Array(),
      fc.jsonValue(),
      anything,
    )
    fc.assert(
      fc.property(input, (value) => checkOutcome(() => parseAny(value, LIMITS))),
      { numRuns: 5_000 },
    )
  })

  it('D-139 no row gives anything but a record or a CorruptRecordError', () => {
    const meta = { keyId: IK_ID, created: IK_CREATED }
    const rowText = serializeEnvelopeKeyRecord({
      ...meta,
      encryptedKey: new Uint8Array(60),
      revoked: true,
      parentKeyMeta: { keyId: SK_ID, created: IK_CREATED },
    })
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => mutate(rowText, edits)),
    )
    const check = (read: () => EnvelopeKeyRecord): void => {
      try {
        const record = read()
        expect(parseEnvelopeKeyRecord(serializeEnvelopeKeyRecord(record), record)).toStrictEqual(record)
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptRecordError)
      }
    }
    fc.assert(
      fc.property(text, anything, (row, value) => {
        check(() => parseEnvelopeKeyRecord(row, meta))
        check(() => validateEnvelopeKeyRecord(value))
        check(() => validateEnvelopeKeyRecord(value, meta))
      }),
      { numRuns: 3_000 },
    )
  })
})
