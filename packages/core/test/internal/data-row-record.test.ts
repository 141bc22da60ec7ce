import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../src/errors.ts'
import { createDataRowRecord, parseDataRowRecord, serializeDataRowRecord } from '../../src/internal/record-codec.ts'
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
  plain,
  SAMPLE_TEXT,
  sampleRecord,
} from './record-samples.ts'

const encoder = new TextEncoder()

/** The sample's text with one part replaced. */
function textWith(part: string, replacement: string): string {
  if (!SAMPLE_TEXT.includes(part)) throw new Error(`the sample does not have ${part}`)
  return SAMPLE_TEXT.replace(part, () => replacement)
}

function refusal(input: unknown): string {
  const error = errorOf(() => parseAny(input))
  expect(error).toBeInstanceOf(InvalidInputError)
  return error.message.replace('the data row record: ', '')
}

const PARENT = `"ParentKeyMeta":{"KeyId":"${IK_ID}","Created":${IK_CREATED}}`
const NOT_CREATED = 'must be Unix seconds from 1 to 2^53 - 1, in plain digits'

describe('a data row record', () => {
  it('D-092 is written compact, in the order of Go and Rust, without Revoked', () => {
    const record = sampleRecord()
    expect(JSON.stringify(record)).toBe(SAMPLE_TEXT)
    expect(serializeDataRowRecord(record)).toBe(SAMPLE_TEXT)
    expect(JSON.stringify([record])).toBe(`[${SAMPLE_TEXT}]`)
  })

  it('has its own key and data, and toJSON on the prototype, so that structuredClone takes it', () => {
    const record = sampleRecord()
    expect(Object.keys(record)).toEqual(['key', 'data'])
    expect(Object.hasOwn(record, 'toJSON')).toBe(false)
    const clone = structuredClone(record)
    expect(plain(parseDataRowRecord(clone))).toEqual(plain(record))
    expect(serializeDataRowRecord(clone)).toBe(SAMPLE_TEXT)
  })

  it('is read as text, bytes, a view into bytes, the parsed object, itself and its fields', () => {
    const wire: unknown = JSON.parse(SAMPLE_TEXT)
    const padded = encoder.encode(`xx${SAMPLE_TEXT}yy`)
    const shared = new Uint8Array(new SharedArrayBuffer(SAMPLE_TEXT.length))
    shared.set(encoder.encode(SAMPLE_TEXT))
    const { key, data } = sampleRecord()
    const inputs = {
      text: SAMPLE_TEXT,
      bytes: encoder.encode(SAMPLE_TEXT),
      buffer: Buffer.from(SAMPLE_TEXT),
      view: padded.subarray(2, -2),
      shared,
      wire,
      record: sampleRecord(),
      fields: { key, data },
      'buffers in fields': { key: { ...key, encryptedKey: Buffer.from(key.encryptedKey) }, data: Buffer.from(data) },
      'null prototype': Object.assign(Object.create(null), wire),
    }
    for (const [name, input] of Object.entries(inputs)) {
      const record = parseAny(input)
      expect(plain(record), name).toEqual(plain(sampleRecord()))
      expect(JSON.stringify(record), name).toBe(SAMPLE_TEXT)
      for (const part of [record.data, record.key.encryptedKey]) {
        expect(Object.getPrototypeOf(part), name).toBe(Uint8Array.prototype)
        expect(part.buffer, name).toBeInstanceOf(ArrayBuffer)
        expect(part.buffer.byteLength, name).toBe(part.byteLength)
      }
    }
  })

  it('copies the bytes that it is given', () => {
    const source = sampleRecord()
    const record = parseDataRowRecord(source)
    source.data.fill(0)
    source.key.encryptedKey.fill(0)
    expect(plain(record)).toEqual(plain(sampleRecord()))
  })

  it('is wire form when it has its own Key or Data, and fields otherwise', () => {
    const { key, data } = sampleRecord()
    expect(refusal({ key, data, Data: DATA64 })).toBe('Key is missing')
    expect(refusal({ key, data, Key: undefined })).toBe('Key is missing')
    expect(parseAny(Object.assign(Object.create({ Key: 1, Data: 2 }), { key, data })).data).toEqual(data)
  })
})

describe('what each reader accepts: data row records', () => {
  it.each([
    ['unknown fields', textWith('"Data"', '"Extra":{"Data":[1,{"b":"}"}]},"Data"')],
    ['unknown fields of Key', textWith('"Key":"', '"Other":null,"Key":"')],
    ['unknown fields of ParentKeyMeta', textWith('"KeyId"', '"Extra":-1.5e9,"KeyId"')],
    ['unknown fields twice', textWith('"Data"', '"x":1,"x":2,"Data"')],
    ['names in another case beside the real ones', textWith('"Data"', '"data":5,"KEY":{},"Data"')],
    ['__proto__', textWith('"Data"', '"__proto__":{"Data":"x","polluted":1},"constructor":{"prototype":{}},"Data"')],
    ['__proto__ in Key', textWith('"Key":"', '"__proto__":{"polluted":1},"toString":1,"Key":"')],
    ['another order', `{"Data":"${DATA64}","Key":{${PARENT},"Key":"${KEY64}","Created":${CREATED}}}`],
    ['white space', JSON.stringify(JSON.parse(SAMPLE_TEXT), null, '\t').replaceAll('\n', ' \r\n')],
    ['white space around', `\n\t ${SAMPLE_TEXT}\r\n`],
    ['Revoked: null', textWith(PARENT, `${PARENT},"Revoked":null`)],
    ['Revoked: false', textWith(PARENT, `${PARENT},"Revoked":false`)],
    ['Revoked: true, which a data row key has no use for', textWith(PARENT, `${PARENT},"Revoked":true`)],
    ['escaped names', textWith('"Data"', '"D\\u0061ta"')],
    ['escaped ids', textWith('"_IK_', '"\\u005fIK\\u005f')],
    ['escaped base64', textWith(DATA64.slice(0, 4), [...DATA64.slice(0, 4)].map(unicodeEscape).join(''))],
  ])('D-087 yes: %s', (_, text) => {
    expect(plain(parseDataRowRecord(text))).toEqual(plain(sampleRecord()))
    expect(plain(parseDataRowRecord(encoder.encode(text)))).toEqual(plain(sampleRecord()))
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it.each([
    ['names in another case', SAMPLE_TEXT.toLowerCase(), 'Key is missing'],
    ['Data in another case', textWith('"Data"', '"data"'), 'Data is missing'],
    ['KeyId in another case', textWith('"KeyId"', '"keyId"'), 'Key.ParentKeyMeta.KeyId is missing'],
    ['Key twice', textWith('{"Key"', '{"Key":null,"Key"'), 'has Key twice'],
    ['Data twice', textWith('"Data"', '"Data":"","Data"'), 'has Data twice'],
    ['Data twice, once escaped', textWith('"Data"', '"D\\u0061ta":"","Data"'), 'has Data twice'],
    ['Key.Key twice', textWith('"Key":"', '"Key":1,"Key":"'), 'has Key.Key twice'],
    ['Revoked twice', textWith(PARENT, `${PARENT},"Revoked":false,"Revoked":false`), 'has Key.Revoked twice'],
    ['KeyId twice', textWith('"KeyId"', '"KeyId":"","KeyId"'), 'has Key.ParentKeyMeta.KeyId twice'],
    ['no Created', textWith(`"Created":${CREATED},`, ''), 'Key.Created is missing'],
    ['Created null', textWith(`${CREATED}`, 'null'), `Key.Created ${NOT_CREATED}, not null`],
    ['Created as a string', textWith(`${CREATED}`, `"${CREATED}"`), `Key.Created ${NOT_CREATED}, not a string`],
    ['Created as a list', textWith(`${CREATED}`, `[${CREATED}]`), `Key.Created ${NOT_CREATED}, not an object`],
    ['Created 1.0', textWith(`${IK_CREATED}`, `${IK_CREATED}.0`), `Key.ParentKeyMeta.Created ${NOT_CREATED}`],
    ['base64 unpadded', textWith('=="}', '"}'), 'Data must be standard base64 with padding, in canonical form'],
    [
      'base64 with a line break',
      textWith(DATA64, `${DATA64.slice(0, 8)}\\n${DATA64.slice(8)}`),
      /^Data must be standard/,
    ],
    [
      'base64 with a raw line break',
      textWith(DATA64, `${DATA64.slice(0, 8)}\n${DATA64.slice(8)}`),
      /^Data must be standard/,
    ],
    ['base64 with spaces for length', textWith(DATA64, `${DATA64}    `), /^Data must be standard/],
    ['base64 with trailing bits', textWith(DATA64, DATA64.replace(/.==$/, 'x==')), /^Data must be standard/],
    ['URL-safe base64', textWith(KEY64, `-${KEY64.slice(1)}`), /^Key.Key must be standard/],
    ['text after the JSON', `${SAMPLE_TEXT}xyz`, /^has text after the JSON value/],
    ['a byte order mark', `\ufeff${SAMPLE_TEXT}`, 'is not JSON: unexpected character at position 0'],
    [
      'Revoked as a string',
      textWith(PARENT, `${PARENT},"Revoked":"true"`),
      /^Key.Revoked must be true, false or null, not a/,
    ],
    ['Revoked as a number', textWith(PARENT, `${PARENT},"Revoked":1`), /^Key.Revoked must be true, false or null/],
    ['Revoked as an object', textWith(PARENT, `${PARENT},"Revoked":{}`), /^Key.Revoked must be true, false or null/],
    ['Key null', '{"Key":null,"Data":"QQ=="}', 'Key must be an object, not null'],
    ['Key a string', '{"Key":"QQ==","Data":"QQ=="}', 'Key must be an object, not a string'],
    ['Key a list', '{"Key":[],"Data":"QQ=="}', 'Key.Created is missing'],
    ['ParentKeyMeta null', textWith(PARENT, '"ParentKeyMeta":null'), 'Key.ParentKeyMeta must be an object, not null'],
    ['no ParentKeyMeta', textWith(`,${PARENT}`, ''), 'Key.ParentKeyMeta is missing'],
    ['no KeyId', textWith(`"KeyId":"${IK_ID}",`, ''), 'Key.ParentKeyMeta.KeyId is missing'],
    ['KeyId empty', textWith(IK_ID, ''), 'Key.ParentKeyMeta.KeyId is empty'],
    ['KeyId a number', textWith(`"${IK_ID}"`, '5'), 'Key.ParentKeyMeta.KeyId must be a string'],
    ['KeyId with a lone surrogate', textWith(IK_ID, '_IK_\\ud800'), /^Key.ParentKeyMeta.KeyId has a lone surrogate/],
    ['Data null', textWith(`"${DATA64}"`, 'null'), 'Data must be a base64 string, not null'],
    ['Data a number', textWith(`"${DATA64}"`, '5'), 'Data must be a base64 string'],
    ['no Data', textWith(`,"Data":"${DATA64}"`, ''), 'Data is missing'],
  ])('D-087 no: %s', (_, text, message) => {
    expect(refusal(text)).toMatch(message)
    expect(refusal(encoder.encode(text))).toMatch(message)
  })

  it.each([
    ['zero', '0'],
    ['minus zero', '-0'],
    ['negative', '-1'],
    ['1.0', '1.0'],
    ['a float of a time', '1700000000.0'],
    ['a fraction', '1700000000.5'],
    ['an exponent', '1e9'],
    ['an exponent of zero', '1700000000e0'],
    ['2^53', '9007199254740992'],
    ['2^53 + 1', '9007199254740993'],
    ['seventeen digits', '17000000000000000'],
    ['beyond doubles', `1${'0'.repeat(400)}`],
  ])('D-091 refuses Created of %s in either place', (_, number) => {
    expect(refusal(textWith(`${CREATED}`, number))).toBe(`Key.Created ${NOT_CREATED}`)
    expect(refusal(textWith(`${IK_CREATED}`, number))).toBe(`Key.ParentKeyMeta.Created ${NOT_CREATED}`)
  })

  it.each([1, 999_999_999, 10_000_000_000, Number.MAX_SAFE_INTEGER])('D-091 takes Created of %i', (created) => {
    expect(parseDataRowRecord(textWith(`${CREATED}`, `${created}`)).key.created).toBe(created)
  })

  it.each(['', '{}', '[]', 'null', '5', '"x"', 'true', 'not json', '[{}]', '\u0000'])(
    'D-095 refuses the text %j',
    (text) => {
      expect(refusal(text)).toMatch(/^is not JSON|^must be a JSON object$|^Key is missing$/)
      expect(refusal(encoder.encode(text))).toMatch(/^is not JSON|^must be a JSON object$|^Key is missing$/)
    },
  )
})

describe('sizes of a data row record', () => {
  it.each(Array.from({ length: 29 }, (_, length) => length))('D-089 Data of %i bytes', (length) => {
    const data = bytes(length)
    const text = textWith(DATA64, base64(data))
    const { key } = sampleRecord()
    if (length === 28) {
      expect(parseDataRowRecord(text).data).toEqual(data)
      expect(parseDataRowRecord({ key, data }).data).toEqual(data)
      return
    }
    const message = `Data must have 28 to 67108892 bytes, not ${length}`
    expect(refusal(text)).toBe(message)
    expect(refusal(JSON.parse(text))).toBe(message)
    expect(refusal({ key, data })).toBe(message.replace('Data', 'data'))
    expect(errorOf(() => serializeDataRowRecord({ key, data })).message).toContain('data must have at least 28 bytes')
  })

  it.each([...Array.from({ length: 29 }, (_, length) => length), 59, 61, 64, 1024])(
    'D-089 Key of %i bytes',
    (length) => {
      const text = textWith(KEY64, base64(bytes(length)))
      const { key, data } = sampleRecord()
      const fields = { key: { ...key, encryptedKey: bytes(length) }, data }
      expect(refusal(text)).toBe(`Key.Key must have 60 bytes, not ${length}`)
      expect(refusal(JSON.parse(text))).toBe(`Key.Key must have 60 bytes, not ${length}`)
      expect(refusal(fields)).toBe(`key.encryptedKey must have 60 bytes, not ${length}`)
      expect(errorOf(() => serializeDataRowRecord(fields)).message).toContain('key.encryptedKey must have 60 bytes')
    },
  )

  it('D-094 a record of an empty payload is 28 bytes of data', () => {
    const record = sampleRecord({ data: bytes(28) })
    expect(parseDataRowRecord(JSON.stringify(record)).data).toEqual(bytes(28))
  })

  it('D-090 limit and limit + 1 of the data, in every form', () => {
    const limits = { maxPlaintextBytes: 100 }
    const within = sampleRecord({ data: bytes(128) })
    const beyond = sampleRecord({ data: bytes(129) })
    for (const form of [JSON.stringify, toBytes, toWire, (record: unknown) => record]) {
      expect(plain(parseAny(form(within), limits))).toEqual(plain(within))
      expect(errorOf(() => parseAny(form(beyond), limits)).message).toMatch(/ata must have 28 to 128 bytes, not 129$/)
    }
  })

  it('D-090 limit and limit + 1 of the text: base64 of the largest data and 128 KiB', () => {
    const limits = { maxPlaintextBytes: 100 }
    const longest = SAMPLE_TEXT.padEnd(172 + 128 * 1024, ' ')
    expect(plain(parseAny(longest, limits))).toEqual(plain(sampleRecord()))
    expect(plain(parseAny(encoder.encode(longest), limits))).toEqual(plain(sampleRecord()))
    const message = 'has 131245 characters of text; with maxPlaintextBytes 100 the limit is 131244. Encrypt larger'
    expect(errorOf(() => parseAny(`${longest} `, limits)).message).toContain(message)
    expect(errorOf(() => parseAny(encoder.encode(`${longest} `), limits)).message).toContain(message)
  })

  it('D-090 refuses oversized input before it decodes any of it', () => {
    const hugeText = textWith(DATA64, 'A'.repeat(32 * 1024 * 1024))
    const hugeKey = textWith(KEY64, 'A'.repeat(32 * 1024 * 1024))
    const hugeBytes = encoder.encode(hugeText)
    const before = process.memoryUsage().arrayBuffers
    const limits = { maxPlaintextBytes: 1024 }
    for (const input of [hugeText, hugeBytes, { ...toWire(sampleRecord()), Data: 'A'.repeat(32 * 1024 * 1024) }]) {
      errorOf(() => parseAny(input, limits))
    }
    expect(refusal(hugeKey)).toMatch(/^Key.Key must have 60 bytes, not 25165824$/)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024)
  })

  it('D-090 takes an id of any length that the text may have, and JSON 64 deep', () => {
    const longId = `_IK_${'x'.repeat(100_000)}`
    expect(parseDataRowRecord(JSON.stringify(sampleRecord({ keyId: longId }))).key.parentKeyMeta.keyId).toBe(longId)
    const nested = (depth: number): string => textWith('{', `{"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)},`)
    expect(plain(parseDataRowRecord(nested(64)))).toEqual(plain(sampleRecord()))
    expect(refusal(nested(65))).toMatch(/^is nested deeper than 64/)
  })
})

describe('key ids in a data row record', () => {
  it.each([
    'a"b\\c',
    'back\\slash\\u0041',
    '\u{1f511} emoji \u{1f1e9}\u{1f1ea}',
    'control \u0000\u0001\b\t\n\u000b\f\r\u001f\u007f',
    'line \u2028\u2029',
    '<tag>&amp;</x>/',
    '\u00fcn\u00efc\u00f8d\u00e9 \u5206\u533a',
    '\ufeffbom',
    '__proto__',
    ' ',
  ])('D-086 are written and read back: %j', (keyId) => {
    const text = JSON.stringify(sampleRecord({ keyId }))
    expect(serializeDataRowRecord(sampleRecord({ keyId }))).toBe(text)
    expect(text).toContain(`"KeyId":${JSON.stringify(keyId)},`)
    const everythingEscaped = `"${[...keyId].map(unicodeEscape).join('')}"`
    for (const form of [text, encoder.encode(text), text.replace(JSON.stringify(keyId), () => everythingEscaped)]) {
      expect(parseDataRowRecord(form).key.parentKeyMeta.keyId).toBe(keyId)
    }
  })

  it('keep no text alive', async () => {
    const { runInNewContext } = await import('node:vm')
    const { setFlagsFromString } = await import('node:v8')
    setFlagsFromString('--expose-gc')
    const collect: unknown = runInNewContext('gc')
    if (typeof collect !== 'function') throw new Error('no gc function')
    collect()
    const before = process.memoryUsage().heapUsed
    const kept = Array.from({ length: 64 }, (_, i) => {
      const text = JSON.stringify(sampleRecord({ keyId: `${IK_ID}_${i}`, data: new Uint8Array(400_000) }))
      return parseDataRowRecord(text).key.parentKeyMeta.keyId
    })
    collect()
    // Slices of the texts would keep 34 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 * 1024 * 1024)
    expect(kept).toHaveLength(64)
  })
})

function unicodeEscape(character: string): string {
  return Array.from({ length: character.length }, (_, i) => {
    return `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  }).join('')
}

function toWire(record: unknown): object {
  return JSON.parse(JSON.stringify(record))
}

function toBytes(record: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(record))
}

it('createDataRowRecord keeps what it is given', () => {
  const { key, data } = sampleRecord()
  const record = createDataRowRecord({ key, data })
  expect(record.key).toBe(key)
  expect(record.data).toBe(data)
})
