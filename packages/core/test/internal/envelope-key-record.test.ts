import { describe, expect, it } from 'vitest'
import { CorruptRecordError, InvalidInputError } from '../../src/errors.ts'
import {
  parseEnvelopeKeyRecord,
  serializeEnvelopeKeyRecord,
  validateEnvelopeKeyRecord,
} from '../../src/internal/record-codec.ts'
import type { EnvelopeKeyRecord } from '../../src/types.ts'
import { base64, bytes, errorOf, IK_ID, KEY64, SK_ID, unicodeEscape } from './record-samples.ts'

const CREATED = 1_795_251_240
const IK = { keyId: IK_ID, created: CREATED }
const SK = { keyId: SK_ID, created: CREATED }
const PARENT = `"ParentKeyMeta":{"KeyId":"${SK_ID}","Created":${CREATED}}`
const IK_TEXT = `{"Created":${CREATED},"Key":"${KEY64}",${PARENT}}`
const SK_TEXT = `{"Created":${CREATED},"Key":"${KEY64}"}`
const IK_RECORD: EnvelopeKeyRecord = { ...IK, encryptedKey: bytes(60), revoked: false, parentKeyMeta: SK }
const SK_RECORD: EnvelopeKeyRecord = { ...SK, encryptedKey: bytes(60), revoked: false }

function textWith(part: string, replacement: string): string {
  if (!IK_TEXT.includes(part)) throw new Error(`the sample does not have ${part}`)
  return IK_TEXT.replace(part, () => replacement)
}

/** The message about a row's text, without the row's name. */
function corruption(text: unknown, meta = IK): string {
  const error = errorOf(() => Reflect.apply(parseEnvelopeKeyRecord, undefined, [text, meta]))
  expect(error).toBeInstanceOf(CorruptRecordError)
  const row = `the metastore's row of ${JSON.stringify(meta.keyId)}, created ${meta.created}: `
  expect(error.message.startsWith(row)).toBe(true)
  return error.message.slice(row.length)
}

/** The error about a record given as an object. */
function invalid(change: object, asked?: { keyId: string; created?: number }): string {
  const error = errorOf(() => validateEnvelopeKeyRecord({ ...IK_RECORD, ...change }, asked))
  expect(error).toBeInstanceOf(CorruptRecordError)
  return error.message
}

describe('the text of an envelope key record', () => {
  it('D-092 is written compact, Revoked only when true, the parent only of an intermediate key', () => {
    expect(serializeEnvelopeKeyRecord(IK_RECORD)).toBe(IK_TEXT)
    expect(serializeEnvelopeKeyRecord(SK_RECORD)).toBe(SK_TEXT)
    expect(serializeEnvelopeKeyRecord({ ...IK_RECORD, revoked: true })).toBe(`{"Revoked":true,${IK_TEXT.slice(1)}`)
    expect(serializeEnvelopeKeyRecord({ ...SK_RECORD, revoked: true })).toBe(`{"Revoked":true,${SK_TEXT.slice(1)}`)
    expect(serializeEnvelopeKeyRecord({ ...SK_RECORD, parentKeyMeta: SK })).toBe(SK_TEXT)
  })

  it('reads what it writes, into bytes of their own', () => {
    for (const record of [IK_RECORD, SK_RECORD, { ...IK_RECORD, revoked: true }]) {
      const read = parseEnvelopeKeyRecord(serializeEnvelopeKeyRecord(record), record)
      expect(read).toStrictEqual(record)
      expect(Object.getPrototypeOf(read.encryptedKey)).toBe(Uint8Array.prototype)
      expect(read.encryptedKey.buffer.byteLength).toBe(60)
    }
  })

  it.each([
    // As the vectors have them, keys shortened.
    ['Go', `{"Revoked":true,"Created":${CREATED},"Key":"${KEY64}",${PARENT}}`, true],
    [
      'Java',
      `{"ParentKeyMeta":{"KeyId":"${SK_ID}","Created":${CREATED}},"Key":"${KEY64}","Created":${CREATED},"Revoked":false}`,
      false,
    ],
    ['Rust', `{"Created":${CREATED},"Key":"${KEY64}","Revoked":true,${PARENT}}`, true],
  ])('D-092 reads what %s writes', (_, text, revoked) => {
    expect(parseEnvelopeKeyRecord(text, IK)).toStrictEqual({ ...IK_RECORD, revoked })
  })

  it.each([
    ['unknown fields', textWith('"Created"', '"Extra":{"Key":[{"Key":1}]},"Created"')],
    ['unknown fields of the parent', textWith('"KeyId"', '"Extra":1.5,"Extra":2,"KeyId"')],
    ['white space', `\n${JSON.stringify(JSON.parse(IK_TEXT), null, 2)}\t`],
    ['Revoked: null', textWith('{"Created"', '{"Revoked":null,"Created"')],
    ['Revoked: false', textWith('{"Created"', '{"Revoked":false,"Created"')],
    ['__proto__', textWith('{"Created"', '{"__proto__":{"Revoked":true},"constructor":{},"Created"')],
    ['escapes', textWith(`"${SK_ID}"`, `"${unicodeEscape(SK_ID)}"`).replace('"Key":', '"K\\u0065y":')],
  ])('accepts %s', (_, text) => {
    expect(parseEnvelopeKeyRecord(text, IK)).toStrictEqual(IK_RECORD)
  })

  it('an intermediate key without a parent is read as that: the hierarchy decides', () => {
    const { parentKeyMeta: _, ...parentless } = IK_RECORD
    expect(parseEnvelopeKeyRecord(SK_TEXT, IK)).toStrictEqual(parentless)
    expect(parseEnvelopeKeyRecord(textWith(PARENT, '"ParentKeyMeta":null'), IK)).toStrictEqual(parentless)
  })

  it("a system key's parent is ignored, but must be one", () => {
    expect(parseEnvelopeKeyRecord(IK_TEXT, SK)).toStrictEqual(SK_RECORD)
    expect(corruption(textWith(PARENT, '"ParentKeyMeta":{"KeyId":"x"}'), SK)).toBe('ParentKeyMeta.Created is missing')
  })

  it.each([
    ['{"Revoked":\u20ac\u20ac\u20ac}', 'its key record is not JSON: unexpected character at position 11'],
    [IK_TEXT.slice(0, -1), 'its key record is not JSON: it ends too early'],
    [`${IK_TEXT}}`, /^its key record has text after the JSON value/],
    [`${IK_TEXT}${IK_TEXT}`, /^its key record has text after the JSON value/],
    [`${IK_TEXT}\u0000`, /^its key record has text after the JSON value/],
    [`\ufeff${IK_TEXT}`, /^its key record is not JSON/],
    [textWith('"Key":', `"Key":"${KEY64}","Key":`), 'its key record has Key twice'],
    [textWith('"Created":', '"Created":1,"Created":'), 'its key record has Created twice'],
    [textWith('{"Created"', '{"Revoked":true,"Revoked":false,"Created"'), 'its key record has Revoked twice'],
    [textWith('{"Created"', '{"Revoked":true,"Rev\\u006fked":false,"Created"'), 'its key record has Revoked twice'],
    [textWith(PARENT, `${PARENT},${PARENT}`), 'its key record has ParentKeyMeta twice'],
    [textWith('"KeyId"', '"KeyId":"x","KeyId"'), 'its key record has ParentKeyMeta.KeyId twice'],
    [textWith(`,"Created":${CREATED}}`, '}'), 'ParentKeyMeta.Created is missing'],
    [textWith(`"KeyId":"${SK_ID}",`, ''), 'ParentKeyMeta.KeyId is missing'],
    [textWith(PARENT, '"ParentKeyMeta":{}'), 'ParentKeyMeta.KeyId is missing'],
    [textWith(PARENT, '"ParentKeyMeta":"_SK_"'), 'ParentKeyMeta must be an object, not a string'],
    [textWith(SK_ID, ''), 'ParentKeyMeta.KeyId is empty'],
    [textWith(`"${SK_ID}"`, 'null'), 'ParentKeyMeta.KeyId must be a string, not null'],
    [textWith(`${CREATED}}}`, '1.0}}'), /^ParentKeyMeta.Created must be Unix seconds/],
    [textWith(`${CREATED}`, `${CREATED + 1}`), `its key record says Created ${CREATED + 1}`],
    [textWith(`${CREATED}`, `"${CREATED}"`), /^Created must be Unix seconds .*, not a string$/],
    [textWith(`${CREATED}`, `${CREATED}.0`), /^Created must be Unix seconds/],
    [textWith(`"Created":${CREATED},"Key"`, '"Key"'), 'Created is missing'],
    [IK_TEXT.toLowerCase(), 'Created is missing'],
    [textWith(`"Key":"${KEY64}",`, ''), 'Key is missing'],
    [textWith(KEY64, ''), 'Key must have 1 to 1048576 bytes, not 0'],
    [textWith(KEY64, '***'), 'Key must be standard base64 with padding, in canonical form'],
    [textWith(KEY64, KEY64.slice(0, -1)), 'Key must be standard base64 with padding, in canonical form'],
    [textWith(KEY64, KEY64.replace(/.$/, '-')), 'Key must be standard base64 with padding, in canonical form'],
    [textWith(`"${KEY64}"`, '[]'), 'Key must be a base64 string, not an object'],
    [textWith('{"Created"', '{"Revoked":"true","Created"'), 'Revoked must be true, false or null, not a string'],
    [textWith('{"Created"', '{"Revoked":1,"Created"'), 'Revoked must be true, false or null'],
    ['', 'its key record is not JSON: it ends too early'],
    ['null', 'its key record must be a JSON object'],
    ['[]', 'its key record must be a JSON object'],
    ['"x"', 'its key record must be a JSON object'],
    ['nope', 'its key record is not JSON: unexpected character at position 0'],
    [textWith('{', `{"x":${'['.repeat(64)}${']'.repeat(64)},`), /^its key record is nested deeper than 64/],
  ])('D-085 is a corrupt row: %s', (text, message) => {
    expect(corruption(text)).toMatch(message)
  })

  it.each([undefined, null, 5, {}, Buffer.from(IK_TEXT)])('D-085 a driver that gives %o instead of text', (text) => {
    expect(corruption(text)).toMatch(/^its key record must be JSON text, not (a|an|null|undefined|bytes)/)
  })

  it('D-090 1 MiB of text is read, and one character more is not', () => {
    const longest = IK_TEXT.padEnd(1024 * 1024, ' ')
    expect(parseEnvelopeKeyRecord(longest, IK)).toStrictEqual(IK_RECORD)
    expect(corruption(`${longest} `)).toBe('its key record has 1048577 characters; the limit is 1048576')
  })

  it.each(['service a"b\\c', 'emoji \u{1f511}', 'control \u0000\n\u001f', '\u00fcn\u00efc\u00f8d\u00e9'])(
    'D-086 an id of %j is written and read back',
    (service) => {
      const record = {
        ...IK_RECORD,
        keyId: `_IK_p_${service}_x`,
        parentKeyMeta: { keyId: `_SK_${service}_x`, created: CREATED },
      }
      expect(parseEnvelopeKeyRecord(serializeEnvelopeKeyRecord(record), record)).toStrictEqual(record)
    },
  )

  it.each([
    [{ keyId: '' }, 'keyId is empty'],
    [{ keyId: 5 }, 'keyId must be a string'],
    [{ created: 0 }, 'created must be Unix seconds from 1 to 2^53 - 1, in plain digits'],
    [{ created: 1.5 }, 'created must be Unix seconds from 1 to 2^53 - 1, in plain digits'],
    [{ encryptedKey: new Uint8Array(0) }, 'encryptedKey must have 1 to 1048576 bytes, not 0'],
    [{ encryptedKey: KEY64 }, 'encryptedKey must be a Uint8Array, not a string'],
    [{ encryptedKey: new Uint8Array(1_000_000) }, 'its text has 1333433 characters; the limit is 1048576'],
    [{ revoked: undefined }, 'revoked must be true or false, not undefined'],
    [{ parentKeyMeta: { keyId: SK_ID } }, 'parentKeyMeta.created is missing'],
    [{ parentKeyMeta: { keyId: '\ud800', created: 1 } }, /^parentKeyMeta.keyId has a lone surrogate/],
  ])('is not written when the record has %o', (change, message) => {
    const error = errorOf(() => Reflect.apply(serializeEnvelopeKeyRecord, undefined, [{ ...IK_RECORD, ...change }]))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(error.message.replace('the envelope key record: ', '')).toMatch(message)
  })
})

describe('an envelope key record given as an object', () => {
  it('is copied whole', () => {
    const source = { ...IK_RECORD, encryptedKey: Buffer.from(bytes(60)), parentKeyMeta: { ...SK }, extra: 1 }
    const record = validateEnvelopeKeyRecord(source, IK)
    source.encryptedKey.fill(0)
    source.parentKeyMeta.keyId = 'changed'
    expect(record).toStrictEqual(IK_RECORD)
    expect(record.encryptedKey.buffer.byteLength).toBe(60)
    expect(base64(record.encryptedKey)).toBe(KEY64)
  })

  it('may be of a class with accessors, have a null parent, and be what no one asked for', () => {
    class Row {
      readonly keyId = SK_ID
      readonly parentKeyMeta = null
      readonly encryptedKey = bytes(60)
      get created(): number {
        return CREATED
      }
      get revoked(): boolean {
        return true
      }
    }
    expect(validateEnvelopeKeyRecord(new Row())).toStrictEqual({ ...SK_RECORD, revoked: true })
    expect(validateEnvelopeKeyRecord(new Row(), { keyId: SK_ID })).toStrictEqual({ ...SK_RECORD, revoked: true })
    expect(validateEnvelopeKeyRecord({ ...SK_RECORD, parentKeyMeta: SK })).toStrictEqual(SK_RECORD)
  })

  it('of another id or time than asked for is corrupt, be it only in case', () => {
    expect(invalid({ keyId: IK_ID.toLowerCase() }, IK)).toContain('"_ik_shopper-123_billing_shop": does it compare ids')
    expect(invalid({ keyId: `${IK_ID} ` }, { keyId: IK_ID })).toContain('returned the row of')
    expect(invalid({ created: CREATED + 1 }, IK)).toContain(`returned a row created ${CREATED + 1}`)
    const nfc = '_IK_\u00e9_billing_shop'
    expect(invalid({ keyId: nfc.normalize('NFD') }, { keyId: nfc })).toContain('returned the row of')
  })

  it.each([
    [{ keyId: undefined }, 'keyId is missing'],
    [{ created: '1795251240' }, 'created must be Unix seconds from 1 to 2^53 - 1, in plain digits, not a string'],
    [{ created: new Date() }, 'created must be Unix seconds from 1 to 2^53 - 1, in plain digits, not an object'],
    [{ created: 1_795_251_240n }, 'created must be Unix seconds from 1 to 2^53 - 1, in plain digits, not a bigint'],
    [{ encryptedKey: KEY64 }, 'encryptedKey must be a Uint8Array, not a string'],
    [{ encryptedKey: new Uint8Array(0) }, 'encryptedKey must have 1 to 1048576 bytes, not 0'],
    [{ encryptedKey: new Uint8Array(1024 * 1024 + 1) }, 'encryptedKey must have 1 to 1048576 bytes, not 1048577'],
    [{ revoked: undefined }, 'revoked must be true or false, not undefined'],
    [{ revoked: null }, 'revoked must be true or false, not null'],
    [{ revoked: 1 }, 'revoked must be true or false, not a number'],
    [{ parentKeyMeta: 'x' }, 'parentKeyMeta must be an object, not a string'],
    [{ parentKeyMeta: {} }, 'parentKeyMeta.keyId is missing'],
  ])('is corrupt with %o', (change, message) => {
    expect(invalid(change)).toBe(`a metastore row: ${message}`)
    expect(invalid(change, IK)).toBe(`the metastore's row of "${IK_ID}", created ${CREATED}: ${message}`)
  })

  it.each([undefined, null, 'x', 5, [], {}, Promise.resolve(IK_RECORD)])('%o is corrupt', (value) => {
    expect(errorOf(() => validateEnvelopeKeyRecord(value, IK))).toBeInstanceOf(CorruptRecordError)
  })

  it('a long id is shown in part', () => {
    const { message } = errorOf(() => validateEnvelopeKeyRecord({}, { keyId: `_IK_${'x'.repeat(10_000)}` }))
    expect(message.length).toBeLessThan(400)
  })
})
