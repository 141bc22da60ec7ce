import { describe, expect, it } from 'vitest'
import { createDataRowRecord, parseDataRowRecord, serializeDataRowRecord } from '../../src/internal/record-codec.ts'
import {
  base64,
  bytes,
  DATA64,
  errorOf,
  KEY64,
  parseAny,
  plain,
  refusal,
  SAMPLE_TEXT,
  sampleRecord,
  textWith,
  unicodeEscape,
} from './record-samples.ts'

const encoder = new TextEncoder()

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
    const message = 'of text; with maxPlaintextBytes 100 the limit is 131244. Encrypt larger payloads as streams'
    expect(errorOf(() => parseAny(`${longest} `, limits)).message).toContain(`has 131245 characters ${message}`)
    expect(errorOf(() => parseAny(encoder.encode(`${longest} `), limits)).message).toContain(
      `has 131245 bytes ${message}`,
    )
    // Bytes are counted as bytes: before they are decoded, no one knows how many characters they are.
    const wide = encoder.encode(textWith('{', `{"x":"${'\u5206'.repeat(50_000)}",`))
    expect(plain(parseAny(wide))).toEqual(plain(sampleRecord()))
    expect(errorOf(() => parseAny(wide, limits)).message).toMatch(/^the data row record: has 150\d{3} bytes of text/)
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
    const everythingEscaped = `"${unicodeEscape(keyId)}"`
    for (const form of [text, encoder.encode(text), text.replace(JSON.stringify(keyId), () => everythingEscaped)]) {
      expect(parseDataRowRecord(form).key.parentKeyMeta.keyId).toBe(keyId)
    }
  })
})

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
