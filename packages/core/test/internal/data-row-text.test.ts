import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../src/errors.ts'
import {
  createDataRowTemplate,
  DEFAULT_MAX_PLAINTEXT_BYTES,
  formatDataRowFromTemplate,
  formatDataRowRecordJson,
  scanDataRowRecord,
} from '../../src/internal/record-codec.ts'
import {
  base64,
  bytes,
  CREATED,
  DATA64,
  errorOf,
  IK_CREATED,
  IK_ID,
  KEY64,
  parseAny,
  SAMPLE_TEXT,
  sampleRecord,
  textWith,
} from './record-samples.ts'

const LIMITS = { maxPlaintextBytes: DEFAULT_MAX_PLAINTEXT_BYTES }
const TEMPLATE = createDataRowTemplate({ keyId: IK_ID, created: IK_CREATED })

describe('the fast form of a data row record', () => {
  it.each([IK_ID, 'a"b\\c', '\u{1f511}', '\u0000'])('is formatted as the record is, for an id of %j', (keyId) => {
    const parentKeyMeta = { keyId, created: IK_CREATED }
    const expected = JSON.stringify(sampleRecord({ keyId }))
    expect(formatDataRowRecordJson({ created: CREATED, parentKeyMeta }, KEY64, DATA64)).toBe(expected)
    expect(formatDataRowFromTemplate(createDataRowTemplate(parentKeyMeta), CREATED, KEY64, DATA64)).toBe(expected)
  })

  it('has no template for an id or time that no record may have', () => {
    for (const keyId of ['', '\ud800']) {
      expect(errorOf(() => createDataRowTemplate({ keyId, created: 1 }))).toBeInstanceOf(InvalidInputError)
    }
    for (const created of [0, -1, 1.5, Number.NaN]) {
      expect(errorOf(() => createDataRowTemplate({ keyId: IK_ID, created }))).toBeInstanceOf(InvalidInputError)
    }
  })

  it('is recognised, with and without its template, and with that of another key', () => {
    const others = [
      { keyId: `${IK_ID}2`, created: IK_CREATED },
      { keyId: IK_ID, created: IK_CREATED - 60 },
    ]
    for (const template of [undefined, TEMPLATE, ...others.map(createDataRowTemplate)]) {
      const row = scanDataRowRecord(SAMPLE_TEXT, LIMITS, template)
      expect(row).toMatchObject({ created: CREATED, parentKeyId: IK_ID, parentCreated: IK_CREATED })
      const [keyStart, keyEnd, dataStart, dataEnd] = row?.spans ?? []
      expect(SAMPLE_TEXT.slice(keyStart, keyEnd)).toBe(KEY64)
      expect(SAMPLE_TEXT.slice(dataStart, dataEnd)).toBe(DATA64)
    }
  })

  it('is recognised with an id that is not ASCII, in a two-byte string', () => {
    const keyId = '_IK_\u00fcn\u00efc\u00f8d\u00e9-\u5206\u533a_s_p'
    const json = JSON.stringify(sampleRecord({ keyId }))
    const row = scanDataRowRecord(json, LIMITS)
    expect(row?.parentKeyId).toBe(keyId)
    expect(json.slice(row?.spans[2], row?.spans[3])).toBe(DATA64)
  })

  it('D-090 keeps the limits of data and text', () => {
    const limits = { maxPlaintextBytes: 100 }
    const text = (length: number): string => JSON.stringify(sampleRecord({ data: bytes(length) }))
    expect(scanDataRowRecord(text(28), limits)).toBeDefined()
    expect(scanDataRowRecord(text(128), limits)).toBeDefined()
    for (const length of [0, 1, 12, 27, 129, 130, 131]) expect(scanDataRowRecord(text(length), limits)).toBeUndefined()

    const beside = SAMPLE_TEXT.length - IK_ID.length
    const longest = (more: number): string => {
      return JSON.stringify(sampleRecord({ keyId: 'x'.repeat(172 + 128 * 1024 - beside + more) }))
    }
    expect(scanDataRowRecord(longest(0), limits)).toBeDefined()
    expect(parseAny(longest(0), limits)).toBeDefined()
    expect(scanDataRowRecord(longest(1), limits)).toBeUndefined()
  })

  it.each([
    ['', ''],
    ['a nine-digit time', textWith(`${CREATED}`, '999999999')],
    ['an eleven-digit time', textWith(`${CREATED}`, '17952512900')],
    ['a leading zero', textWith(`${CREATED}`, '0795251290')],
    ['a leading zero of the parent', textWith(`${IK_CREATED}`, '0795251240')],
    ['a negative time', textWith(`${CREATED}`, '-795251290')],
    ['an exponent', textWith(`${CREATED}`, '17952512e1')],
    ['white space in front', ` ${SAMPLE_TEXT}`],
    ['white space behind', `${SAMPLE_TEXT}\n`],
    ['white space within', textWith('}},"Data"', '}}, "Data"')],
    ['text behind', `${SAMPLE_TEXT}x`],
    ['another order', JSON.stringify({ Data: DATA64, Key: JSON.parse(SAMPLE_TEXT).Key })],
    ['a field more', textWith('"}', '","Extra":"x"}')],
    ['Data twice', textWith('"}', `","Data":"${DATA64}"}`)],
    ['an escaped name', textWith('"Data"', '"D\\u0061ta"')],
    ['an escape in the id', textWith('_IK_', '\\u005fIK_')],
    ['an escape in the key', textWith(KEY64, `\\u0041${KEY64.slice(6)}`)],
    ['an escaped solidus in the data', textWith(DATA64, `\\/aa${DATA64.slice(4)}`)],
    ['a padded key', textWith(KEY64, base64(bytes(59)))],
    ['a short key', textWith(KEY64, KEY64.slice(4))],
    ['a long key', textWith(KEY64, `AAAA${KEY64}`)],
    ['a quote in the key', textWith(KEY64, KEY64.replace(/^./, '"'))],
    ['data of an odd length', textWith(DATA64, DATA64.slice(1))],
    ['an empty id', textWith(IK_ID, '')],
    ['a control character in the id', textWith(IK_ID, 'a\tb')],
    ['a lone surrogate in the id', textWith(IK_ID, 'a\ud800b')],
    ['an unfinished text', SAMPLE_TEXT.slice(0, -1)],
    ['an unfinished string', SAMPLE_TEXT.slice(0, -2)],
  ])('is left to the strict parser: %s', (_, text) => {
    expect(scanDataRowRecord(text, LIMITS)).toBeUndefined()
    expect(scanDataRowRecord(text, LIMITS, TEMPLATE)).toBeUndefined()
  })
})
