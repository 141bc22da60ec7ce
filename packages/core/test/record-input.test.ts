import { beforeAll, describe, expect, it } from 'vitest'
import { type DataRowRecordJson, InvalidInputError, type Session } from '../src/index.ts'
import { bytesOf, createPeer, createWorld, type World } from './fakes.ts'
import { nameOf, promiseOf, rejectionOf } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')

describe('records', () => {
  let world: World
  let wire: DataRowRecordJson
  beforeAll(async () => {
    world = createWorld({}, {}, { maxPlaintextBytes: 100 })
    wire = await world.factory.getSessionBytesAsJson('p').encrypt(plaintext)
  })

  /** A session with nothing cached, and one with the key at hand. */
  async function sessions(): Promise<{ cold: World; coldSession: Session; warm: Session }> {
    const cold = createPeer(world, {}, { maxPlaintextBytes: 100 })
    return { cold, coldSession: cold.factory.getSession('p'), warm: world.factory.getSession('p') }
  }

  async function expectRefused(record: unknown, field: string): Promise<void> {
    const { cold, coldSession, warm } = await sessions()
    const calls = world.metastore.calls.length
    const bytesSession = cold.factory.getSessionBytes('p')
    const persistence = { load: async () => record }
    const isNothing = record === undefined || record === null
    const attempts = [
      promiseOf(coldSession, 'decrypt', record),
      promiseOf(warm, 'decrypt', record),
      promiseOf(bytesSession, 'decrypt', record),
      ...(isNothing ? [] : [promiseOf(coldSession, 'load', 'key', persistence)]),
    ]
    for (const error of await Promise.all(attempts.map(rejectionOf))) {
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toContain(field)
    }
    expect(cold.metastore.calls).toEqual([])
    expect(world.metastore.calls).toHaveLength(calls)
  }

  const shapeless: unknown[] = [
    undefined,
    null,
    7,
    Number.NaN,
    true,
    1n,
    Symbol('record'),
    () => wire,
    {},
    [],
    new Map(),
    new Date(),
    Promise.resolve({}),
    Object.create(null),
    new ArrayBuffer(8),
    new DataView(new ArrayBuffer(8)),
    new Uint16Array(8),
    '',
    ' ',
    'x',
    'null',
    'true',
    '7',
    '"text"',
    '[]',
    '{}',
    '{"Key":',
    'undefined',
    '\ufeff{}',
    new Uint8Array(0),
    new Uint8Array([0xff, 0xfe]),
    bytesOf('[]'),
    Buffer.from('nothing'),
    new Uint8Array(new SharedArrayBuffer(4)),
  ]
  it.each(shapeless.map((value) => [nameOf(value), value]))(
    'D-095 %s is refused, and nothing is loaded',
    async (_what, value) => {
      await expectRefused(value, 'the data row record')
    },
  )

  const base64 = (length: number): string => Buffer.alloc(length, 1).toString('base64')
  const noTimes = [0, -1, -0, 1.5, '1', null, undefined, true, {}, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]
  const noBase64 = [null, undefined, 7, {}, '', '=', '====', 'AAAA', '!!!!', 'ÿÿÿÿ']
  const malformed = (good: string): string[] => [
    good.slice(0, -1),
    `${good} `,
    ` ${good}`,
    `${good.slice(0, 8)}\n${good.slice(8)}`,
    `${good}=`,
    `-${good.slice(1)}`,
    `_${good.slice(1)}`,
    `!${good.slice(1)}`,
    `\u0141${good.slice(1)}`,
    `=${good.slice(1)}`,
  ]
  const fields: [string, (value: unknown) => unknown, unknown[]][] = [
    ['Key', (Key) => ({ ...wire, Key }), [null, undefined, 7, 'text', true]],
    [
      'Data',
      (Data) => ({ ...wire, Data }),
      [...noBase64, base64(27), base64(129), ...malformed(base64(40)), ...malformed(base64(41))],
    ],
    [
      'Key.Key',
      (value) => ({ ...wire, Key: { ...wire.Key, Key: value } }),
      [...noBase64, base64(32), base64(59), base64(61), base64(88), ...malformed(base64(60))],
    ],
    ['Key.Created', (Created) => ({ ...wire, Key: { ...wire.Key, Created } }), noTimes],
    [
      'Key.ParentKeyMeta',
      (ParentKeyMeta) => ({ ...wire, Key: { ...wire.Key, ParentKeyMeta } }),
      [null, undefined, 7, 'text', {}, [], { KeyId: '_IK_p_svc_prod' }, { Created: 60 }],
    ],
    [
      'Key.ParentKeyMeta.KeyId',
      (KeyId) => ({ ...wire, Key: { ...wire.Key, ParentKeyMeta: { ...wire.Key.ParentKeyMeta, KeyId } } }),
      [null, undefined, 7, '', {}, ['_IK_p_svc_prod'], '\ud800'],
    ],
    [
      'Key.ParentKeyMeta.Created',
      (Created) => ({ ...wire, Key: { ...wire.Key, ParentKeyMeta: { ...wire.Key.ParentKeyMeta, Created } } }),
      noTimes,
    ],
    ['Key.Revoked', (Revoked) => ({ ...wire, Key: { ...wire.Key, Revoked } }), [0, 1, 'true', {}]],
  ]
  it.each(fields)(
    'D-087 D-089 D-091 a bad %s is refused as an object and as text, and nothing is loaded',
    async (field, make, values) => {
      for (const value of values) {
        const record = make(value)
        await expectRefused(record, field)
        const text = JSON.stringify(record)
        await expectRefused(text, field)
        await expectRefused(bytesOf(text), field)
        await expectRefused(JSON.stringify(record, null, 1), field)
      }
    },
  )

  it.each([
    ['duplicate Data', () => JSON.stringify(wire).replace('"Data"', '"Data":"AAAA","Data"')],
    ['duplicate Key', () => JSON.stringify(wire).replace('{"Key"', '{"Key":null,"Key"')],
    ['duplicate KeyId', () => JSON.stringify(wire).replace('"KeyId"', '"KeyId":"x","KeyId"')],
    ['names in lower case', () => JSON.stringify(wire).toLowerCase()],
    ['a time as 1.0', () => JSON.stringify(wire).replace(/"Created":(\d+)/, '"Created":$1.0')],
    ['a time as 1e9', () => JSON.stringify(wire).replace(/"Created":\d+/, '"Created":1e9')],
    ['text behind', () => `${JSON.stringify(wire)}x`],
    ['a second record behind', () => JSON.stringify(wire).repeat(2)],
    ['a missing brace', () => JSON.stringify(wire).slice(0, -1)],
    ['single quotes', () => JSON.stringify(wire).replaceAll('"', "'")],
    ['nesting over 64', () => `{"X":${'['.repeat(65)}${']'.repeat(65)},${JSON.stringify(wire).slice(1)}`],
    ['UTF-16', () => Buffer.from(JSON.stringify(wire), 'utf16le')],
    ['a byte order mark', () => Buffer.from(`\ufeff${JSON.stringify(wire)}`)],
  ])('text with %s is refused', async (_what, make) => {
    await expectRefused(make(), 'the data row record')
  })

  it('an object that throws or lies when it is read is refused, and read once', async () => {
    const throwing = Object.defineProperty({ ...wire }, 'Data', {
      enumerable: true,
      get() {
        throw new Error('no')
      },
    })
    await expectRefused(throwing, 'Data')
    await expectRefused(
      new Proxy(
        {},
        {
          getOwnPropertyDescriptor: () => {
            throw new Error('no')
          },
        },
      ),
      'the data row record',
    )

    let reads = 0
    const changing = {
      ...wire,
      get Data() {
        reads += 1
        return reads === 1 ? wire.Data : 'AAAA'
      },
    }
    expect(await world.factory.getSession('p').decrypt(changing)).toEqual(plaintext)
    expect(reads).toBe(1)
  })

  it('unknown and prototype-polluting names have no effect', async () => {
    const { coldSession, warm } = await sessions()
    const extra =
      '"X":{"Y":[1]},"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toJSON":7,'
    const text = JSON.stringify(wire)
    const hostile = [
      `{${extra}${text.slice(1)}`,
      text.replace('"ParentKeyMeta":{', `${extra}"ParentKeyMeta":{${extra}`),
    ]
    for (const record of [...hostile, ...hostile.map((one) => JSON.parse(one))]) {
      for (const session of [coldSession, warm]) expect(await session.decrypt(record)).toEqual(plaintext)
    }
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    expect(Reflect.get([], 'polluted')).toBeUndefined()
  })

  it('D-090 data at the limit is read, one byte more is not, whatever form it has', async () => {
    const { cold, coldSession } = await sessions()
    const writer = createPeer(world).factory.getSession('p')
    const longest = new Uint8Array(100).fill(7)
    const fits = await writer.encrypt(longest)
    for (const record of [
      fits,
      JSON.stringify(fits),
      bytesOf(JSON.stringify(fits)),
      JSON.parse(JSON.stringify(fits)),
    ]) {
      expect(await coldSession.decrypt(record)).toEqual(longest)
    }
    const calls = cold.metastore.calls.length
    const long = await writer.encrypt(new Uint8Array(101))
    for (const record of [
      long,
      JSON.stringify(long),
      bytesOf(JSON.stringify(long)),
      JSON.parse(JSON.stringify(long)),
    ]) {
      const error = await rejectionOf(coldSession.decrypt(record))
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toMatch(/data/i)
    }
    expect(cold.metastore.calls).toHaveLength(calls)
  })

  it('D-090 text may be 128 KiB longer than the data in base64, and no more', async () => {
    const limit = Math.ceil(128 / 3) * 4 + 128 * 1024
    const text = JSON.stringify(wire)
    const { cold, coldSession } = await sessions()
    for (const pad of [(length: number) => text.padEnd(length), (length: number) => bytesOf(text.padEnd(length))]) {
      expect(await coldSession.decrypt(pad(limit))).toEqual(plaintext)
      const { length } = cold.metastore.calls
      const error = await rejectionOf(coldSession.decrypt(pad(limit + 1)))
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toContain(`${limit}`)
      expect(cold.metastore.calls).toHaveLength(length)
    }
  })

  it('null Revoked is false, as every other reader has it', async () => {
    const { coldSession } = await sessions()
    for (const Revoked of [null, false, true]) {
      const record: DataRowRecordJson = JSON.parse(JSON.stringify({ ...wire, Key: { ...wire.Key, Revoked } }))
      expect(await coldSession.decrypt(record)).toEqual(plaintext)
      expect(await coldSession.decrypt(JSON.stringify(record))).toEqual(plaintext)
    }
  })
})
