import { describe, expect, it } from 'vitest'
import { CorruptRecordError, InvalidInputError } from '../../src/errors.ts'
import { serializeDataRowRecord, validateEnvelopeKeyRecord } from '../../src/internal/record-codec.ts'
import { bytes, CREATED, DATA64, errorOf, KEY64, parseAny, plain, SAMPLE_TEXT, sampleRecord } from './record-samples.ts'

const fields = (): { key: object; data: Uint8Array } => ({ key: { ...sampleRecord().key }, data: bytes(40, 100) })

/** Every object within a record replaced by a proxy that counts reads. */
function counting(target: object, reads: Map<string, number>, path = ''): object {
  return new Proxy(target, {
    get(object, name, receiver) {
      const field = `${path}${String(name)}`
      reads.set(field, (reads.get(field) ?? 0) + 1)
      const value: unknown = Reflect.get(object, name, receiver)
      const isPart = typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
      return isPart ? counting(value, reads, `${field}.`) : value
    },
  })
}

describe('hostile objects given as records', () => {
  it.each([undefined, null, 5, true, 5n, Symbol('x'), () => SAMPLE_TEXT])(
    'D-095 %s is refused as what it is',
    (input) => {
      const error = errorOf(() => parseAny(input))
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toMatch(/must be JSON text, its bytes, or an object, not (a \w+|null|undefined)$/)
    },
  )

  it.each([
    {},
    [],
    new Date(),
    new Map([['Key', {}]]),
    new String(SAMPLE_TEXT),
    Promise.resolve(sampleRecord()),
    new DataView(new ArrayBuffer(8)),
    new ArrayBuffer(8),
    new SharedArrayBuffer(8),
    new Uint16Array(8),
    new Proxy(new Uint8Array(8), {}),
  ])('D-095 %o is refused', (input) => {
    const error = errorOf(() => parseAny(input))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(error.message).toBe('the data row record: key is missing')
  })

  it('D-095 bytes that are not UTF-8, or detached, or of a byte order mark are refused', () => {
    const text = Buffer.from(SAMPLE_TEXT)
    const detached = new Uint8Array(text)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const refused = {
      'a continuation byte': Buffer.concat([text.subarray(0, -2), Buffer.from([0x80]), text.subarray(-2)]),
      'an overlong quote': Buffer.concat([text.subarray(0, -2), Buffer.from([0xc0, 0xa2]), text.subarray(-2)]),
      'an encoded surrogate': Buffer.concat([text.subarray(0, -2), Buffer.from([0xed, 0xa0, 0x80]), text.subarray(-2)]),
      // A lenient decoder makes U+FFFD of these, and with it another id.
      'a stray byte in the id': Buffer.from(SAMPLE_TEXT.replace('shopper', 'shop\u00ffer'), 'latin1'),
      'a truncated character in the id': Buffer.from(SAMPLE_TEXT.replace('shopper', 'shop\u00c3er'), 'latin1'),
      'UTF-16': Buffer.from(SAMPLE_TEXT, 'utf16le'),
      'a byte order mark': Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text]),
      detached,
      empty: new Uint8Array(0),
    }
    for (const [name, input] of Object.entries(refused)) {
      expect(
        errorOf(() => parseAny(input)),
        name,
      ).toBeInstanceOf(InvalidInputError)
    }
  })

  it('inherited properties do not make a record', () => {
    const { key, data } = fields()
    const inherited = [
      Object.create({ key, data }),
      Object.assign(Object.create({ key }), { data }),
      { key: Object.create(key), data },
      { Key: Object.create({ Created: CREATED, Key: KEY64 }), Data: DATA64 },
    ]
    for (const input of inherited) expect(errorOf(() => parseAny(input)).message).toMatch(/ is missing$/)
  })

  it.each([
    [
      'key',
      (): object => ({
        get key() {
          throw new RangeError('boom')
        },
        data: bytes(40),
      }),
    ],
    [
      'Data',
      (): object => ({
        Key: {},
        get Data() {
          throw new RangeError('boom')
        },
      }),
    ],
    [
      'key.created',
      (): object => ({
        key: {
          get created() {
            throw new RangeError('boom')
          },
        },
        data: bytes(40),
      }),
    ],
  ])('what a getter of %s throws becomes the cause of an InvalidInputError', (field, make) => {
    const error = errorOf(() => parseAny(make()))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(error.message).toBe(`the data row record: ${field} cannot be read`)
    expect(error.cause).toBeInstanceOf(RangeError)
  })

  it('an error of this library thrown by a getter is not passed through', () => {
    const { key } = fields()
    const input = {
      key,
      get data() {
        throw new CorruptRecordError('forged')
      },
    }
    expect(errorOf(() => parseAny(input))).toBeInstanceOf(InvalidInputError)
    expect(errorOf(() => Reflect.apply(serializeDataRowRecord, undefined, [input]))).toBeInstanceOf(InvalidInputError)
  })

  it('proxies whose traps throw, and revoked ones, are refused with an InvalidInputError', () => {
    const throwing = new Proxy(
      {},
      {
        getOwnPropertyDescriptor() {
          throw new TypeError('trap')
        },
      },
    )
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const { key, data } = fields()
    const inputs = [
      throwing,
      revoked.proxy,
      { key: throwing, data },
      { key: revoked.proxy, data },
      { key, data: revoked.proxy },
    ]
    for (const input of [...inputs, { Key: revoked.proxy, Data: DATA64 }]) {
      expect(errorOf(() => parseAny(input))).toBeInstanceOf(InvalidInputError)
    }
  })

  it('each property is read once, in either form', () => {
    for (const source of [fields(), JSON.parse(SAMPLE_TEXT)]) {
      const reads = new Map<string, number>()
      expect(plain(parseAny(counting(source, reads)))).toEqual(plain(sampleRecord()))
      expect([...reads.values()].every((count) => count === 1)).toBe(true)
      expect(reads.size).toBeGreaterThanOrEqual(7)
    }
  })

  it('a typed array that lies about its length, its buffer and its copies is taken for what it holds', () => {
    const lying = bytes(40, 100)
    for (const name of ['length', 'byteLength', 'byteOffset', 'buffer', 'constructor', 'slice', Symbol.iterator]) {
      Object.defineProperty(lying, name, {
        get() {
          throw new Error('read')
        },
      })
    }
    const { key } = fields()
    expect(plain(parseAny({ key, data: lying }))).toEqual(plain(sampleRecord()))
    const text = Buffer.from(SAMPLE_TEXT)
    Object.defineProperty(text, 'length', { value: 1e12 })
    expect(plain(parseAny(text))).toEqual(plain(sampleRecord()))
  })

  it('look-alikes of bytes are refused', () => {
    const { key } = fields()
    const array = Array.from(bytes(40))
    for (const data of [
      array,
      { ...array, length: 40 },
      new Proxy(bytes(40), {}),
      Object.create(Uint8Array.prototype),
      DATA64,
    ]) {
      expect(errorOf(() => parseAny({ key, data })).message).toMatch(/data must be a Uint8Array, not /)
    }
  })

  it('takes bytes of another realm', async () => {
    const { runInNewContext } = await import('node:vm')
    const foreign: unknown = runInNewContext('Uint8Array.from(source)', { source: bytes(40, 100) })
    expect(foreign instanceof Uint8Array).toBe(false)
    const record = parseAny({ key: fields().key, data: foreign })
    expect(plain(record)).toEqual(plain(sampleRecord()))
    expect(Object.getPrototypeOf(record.data)).toBe(Uint8Array.prototype)
  })
})

describe('hostile objects given as envelope key records', () => {
  it('getters and proxies that throw give a CorruptRecordError with the cause', () => {
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const throwing = {
      get keyId() {
        throw new RangeError('boom')
      },
    }
    expect(errorOf(() => validateEnvelopeKeyRecord(revoked.proxy))).toBeInstanceOf(CorruptRecordError)
    const error = errorOf(() => validateEnvelopeKeyRecord(throwing))
    expect(error).toBeInstanceOf(CorruptRecordError)
    expect(error.cause).toBeInstanceOf(RangeError)
  })
})
