import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as asherah from '@asherah/asherah'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codeOf, memoryConfig, rejectionOf } from './config.ts'

const api = asherah.default
const folder = mkdtempSync(join(tmpdir(), 'asherah-module-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => asherah.shutdownAsync())

const payloads = ['', 'hello', 'três 🔑', '\uFEFFmarked', 'x'.repeat(200_000)]

describe.each(['setup', 'setupAsync'] as const)('D-129 after %s', (how) => {
  beforeEach(async () => {
    await api[how](memoryConfig)
  })

  it('D-094 text round-trips, sync and async, either way', async () => {
    for (const text of payloads) {
      const records = [
        asherah.encrypt('p', text),
        asherah.encryptString('p', text),
        await asherah.encryptAsync('p', text),
        await asherah.encryptStringAsync('p', text),
      ]
      for (const record of records) {
        expect(typeof record).toBe('string')
        expect(asherah.decryptString('p', record)).toBe(text)
        expect(await asherah.decryptStringAsync('p', record)).toBe(text)
        const bytes = asherah.decrypt('p', Buffer.from(record))
        expect(Buffer.isBuffer(bytes)).toBe(true)
        expect(bytes.toString()).toBe(Buffer.from(text).toString())
        expect((await asherah.decryptAsync('p', record)).equals(bytes)).toBe(true)
      }
    }
  })

  it('works from a timer and an async function', async () => {
    const fromTimer = await new Promise<string>((resolve) => {
      setTimeout(() => resolve(asherah.encrypt('p', 'timer')), 1)
    })
    expect(asherah.decryptString('p', fromTimer)).toBe('timer')
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const record =
          i % 2 === 0 ? asherah.encrypt(`p${i}`, String(i)) : await asherah.encryptAsync(`p${i}`, String(i))
        expect(await asherah.decryptStringAsync(`p${i}`, record)).toBe(String(i))
      }),
    )
  })

  it('one partition cannot read another, in any form', async () => {
    const record = asherah.encrypt('mine', 'seededPlaintextThatNobodyPrints')
    expect(codeOf(() => asherah.decrypt('yours', record))).toBe('ERR_ASHERAH_WRONG_PARTITION')
    expect(await rejectionOf(() => asherah.decryptAsync('yours', record))).toBe('ERR_ASHERAH_WRONG_PARTITION')
    await asherah.encryptAsync('yours', 'x')
    expect(codeOf(() => asherah.decrypt('yours', record))).toBe('ERR_ASHERAH_WRONG_PARTITION')
  })

  it('D-004 D-095 refuses what is no partition, payload or record; async forms reject and never throw', async () => {
    const bad: unknown[] = [null, undefined, 5, {}, [], true, Symbol('x')]
    for (const value of bad) {
      const calls = [
        ['encrypt', [value, 'x']],
        ['encrypt', ['p', value]],
        ['encryptString', ['p', value]],
        ['decrypt', ['p', value]],
        ['decryptString', ['p', value]],
      ] as const
      for (const [name, args] of calls) {
        expect(codeOf(() => Reflect.apply(api[name], undefined, args))).toBe('ERR_ASHERAH_INVALID_INPUT')
        expect(await rejectionOf(() => Reflect.apply(api[`${name}Async`], undefined, args))).toBe(
          'ERR_ASHERAH_INVALID_INPUT',
        )
      }
    }
    for (const text of ['', '{}', '[]', 'null', '{"Data":"!"}', '{"Key":{"Key":"","Created":-1}}']) {
      expect(codeOf(() => asherah.decrypt('p', text))).toBe('ERR_ASHERAH_INVALID_INPUT')
      expect(await rejectionOf(() => asherah.decryptAsync('p', text))).toBe('ERR_ASHERAH_INVALID_INPUT')
    }
    expect(codeOf(() => asherah.encrypt('', 'x'))).toBe('ERR_ASHERAH_INVALID_INPUT')
    expect(codeOf(() => asherah.encrypt('p', '\uD800'))).toBe('ERR_ASHERAH_INVALID_INPUT')
    expect(codeOf(() => asherah.encryptString('p', '\uD800'))).toBe('ERR_ASHERAH_INVALID_INPUT')
    const binary = asherah.encrypt('p', Buffer.from([0xff, 0xfe]))
    expect(codeOf(() => asherah.decryptString('p', binary))).toBe('ERR_ASHERAH_INVALID_INPUT')
    expect([...asherah.decrypt('p', binary)]).toEqual([0xff, 0xfe])
  })
})

describe('the state machine', () => {
  it('D-110 refuses a second setup before it does anything', async () => {
    const first = asherah.setupAsync(memoryConfig)
    expect(await rejectionOf(() => asherah.setupAsync(memoryConfig))).toBe('ERR_ASHERAH_INVALID_CONFIG')
    expect(codeOf(() => asherah.setup(memoryConfig))).toBe('ERR_ASHERAH_INVALID_CONFIG')
    await first
    expect(asherah.getSetupStatus()).toBe(true)
    expect(() => asherah.setup({ nonsense: 1 } as object)).toThrow('while the library is ready')
  })

  it('D-110 two concurrent setups: exactly one wins', async () => {
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => asherah.setupAsync(memoryConfig)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(asherah.decryptString('p', asherah.encrypt('p', 'x'))).toBe('x')
  })

  it('D-110 a setup that fails leaves it idle, for the next one', async () => {
    const noFolder = { ...memoryConfig, Metastore: 'sqlite', ConnectionString: join(folder, 'missing', 'k.db') }
    for (const bad of [
      { ServiceName: 's' },
      { ...memoryConfig, StaticMasterKeyHex: 'aéa' },
      noFolder,
      { ...memoryConfig, StaticMasterKeyHex: '00'.repeat(32) },
    ]) {
      expect(codeOf(() => asherah.setup(bad))).toBe('ERR_ASHERAH_INVALID_CONFIG')
      expect(asherah.getSetupStatus()).toBe(false)
      expect(await rejectionOf(() => asherah.setupAsync(bad))).toBe('ERR_ASHERAH_INVALID_CONFIG')
      expect(asherah.getSetupStatus()).toBe(false)
    }
    asherah.setup(JSON.stringify(memoryConfig))
    expect(asherah.decryptString('p', asherah.encrypt('p', 'x'))).toBe('x')
  })

  it('before setup and after shutdown every call is refused', async () => {
    for (const turn of [1, 2]) {
      expect(asherah.getSetupStatus()).toBe(false)
      expect(codeOf(() => asherah.encrypt('p', 'x'))).toBe('ERR_ASHERAH_CLOSED')
      expect(await rejectionOf(() => asherah.decryptAsync('p', '{}'))).toBe('ERR_ASHERAH_CLOSED')
      await asherah.shutdownAsync()
      asherah.shutdown()
      if (turn === 1) await asherah.setupAsync(memoryConfig)
      asherah.shutdown()
    }
  })

  it('shutdownAsync waits for what is in flight; shutdown lets it end', async () => {
    for (const how of ['shutdownAsync', 'shutdown'] as const) {
      await asherah.setupAsync(memoryConfig)
      const running = Array.from({ length: 20 }, (_, i) => asherah.encryptAsync(`p${i}`, 'x'))
      let ended = 0
      for (const one of running) void one.then(() => (ended += 1))
      const stopped = api[how]()
      expect(await rejectionOf(() => asherah.encryptAsync('p', 'late'))).toBe('ERR_ASHERAH_CLOSED')
      await stopped
      await asherah.shutdownAsync()
      expect(ended).toBe(20)
    }
  })

  it('a shutdown while setup runs ends it', async () => {
    const starting = asherah.setupAsync(memoryConfig)
    asherah.shutdown()
    await expect(starting).rejects.toThrow('shutdown was called while setup ran')
    expect(asherah.getSetupStatus()).toBe(false)
    await asherah.setupAsync(memoryConfig)
  })

  it('1,000 setups and shutdowns, with operations in flight', async () => {
    const settled: Promise<unknown>[] = []
    for (let cycle = 0; cycle < 1_000; cycle++) {
      if (cycle % 50 === 0) asherah.setup(memoryConfig)
      else await asherah.setupAsync(memoryConfig)
      settled.push(asherah.encryptAsync('p', `payload ${cycle}`))
      if (cycle % 10 === 0) settled.push(asherah.decryptAsync('p', asherah.encrypt('p', 'sync')))
      if (cycle % 2 === 0) asherah.shutdown()
      else await asherah.shutdownAsync()
    }
    await asherah.shutdownAsync()
    const results = await Promise.allSettled(settled)
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(asherah.getSetupStatus()).toBe(false)
  })
})

describe('sync and async share their keys', () => {
  it('in a file, with one row for each key', async () => {
    const config = { ...memoryConfig, Metastore: 'sqlite', ConnectionString: join(folder, 'shared.db') }
    asherah.setup(config)
    const record = asherah.encrypt('p', 'sync')
    expect(await asherah.decryptStringAsync('p', record)).toBe('sync')
    const again = await asherah.encryptAsync('p', 'async')
    expect(asherah.decryptString('p', again)).toBe('async')
    const idOf = (json: string): unknown => JSON.parse(json).Key.ParentKeyMeta
    expect(idOf(again)).toEqual(idOf(record))
  })

  it("under the metastore's region suffix, before this thread has its backends", async () => {
    asherah.setup({ ...memoryConfig, RegionSuffix: 'us-west-2' })
    const records = [asherah.encrypt('p', 'worker'), asherah.encrypt('p', 'here'), await asherah.encryptAsync('p', 'x')]
    const ids = records.map((record) => JSON.parse(record).Key.ParentKeyMeta.KeyId)
    expect(new Set(ids)).toEqual(new Set(['_IK_p_service_product_us-west-2']))
  })

  it('a key that both threads make at once is one key', async () => {
    await asherah.setupAsync(memoryConfig)
    for (let i = 0; i < 20; i++) {
      const behind = asherah.encryptAsync(`p${i}`, 'async')
      const now = asherah.encrypt(`p${i}`, 'sync')
      expect(asherah.decryptString(`p${i}`, now)).toBe('sync')
      expect(await asherah.decryptStringAsync(`p${i}`, await behind)).toBe('async')
      expect(await asherah.decryptStringAsync(`p${i}`, now)).toBe('sync')
    }
  })
})

describe('exports', () => {
  it('the default export has all of them, and each function has its snake_case alias', () => {
    const named = Object.entries(asherah).filter(([name]) => name !== 'default')
    const functions = named.filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name))
    for (const [name, value] of functions) {
      expect(Reflect.get(asherah.default, name), name).toBe(value)
      const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      expect(asherah, `${snake} of ${name}`).toHaveProperty(snake)
    }
    expect(functions.length).toBeGreaterThan(40)
    expect(asherah.default.SessionFactory).toBe(asherah.SessionFactory)
    expect(asherah.set_log_hook).not.toBe(asherah.setLogHook)
    expect(asherah.encrypt_async).toBe(asherah.encryptAsync)
  })

  it('cobhanCode gives the old numbers', async () => {
    const numberOf = (call: () => unknown): number => {
      try {
        call()
      } catch (error) {
        return asherah.cobhanCode(error)
      }
      return asherah.cobhanCode(undefined)
    }
    expect(numberOf(() => asherah.encrypt('p', 'x'))).toBe(-100)
    expect(numberOf(() => asherah.setup({}))).toBe(-105)
    await asherah.setupAsync(memoryConfig)
    expect(numberOf(() => asherah.setup(memoryConfig))).toBe(-101)
    expect(numberOf(() => asherah.encrypt('', 'x'))).toBe(-102)
    expect(numberOf(() => asherah.decrypt('p', '{}'))).toBe(-104)
    expect(numberOf(() => asherah.encrypt('p', 'x'))).toBe(0)
  })

  it('D-128 estimateBuffer is never too small, and refuses what is no length', async () => {
    await asherah.setupAsync(memoryConfig)
    for (const [size, partition] of [
      [0, 'p'],
      [1, 'p'],
      [1_000, '"'.repeat(100)],
      [70_000, 'é'.repeat(200)],
    ] as const) {
      const json = asherah.encrypt(partition, Buffer.alloc(size))
      expect(asherah.estimateBuffer(size, Buffer.byteLength(partition))).toBeGreaterThanOrEqual(
        Buffer.byteLength(json) + 8,
      )
    }
    expect(asherah.estimateBuffer(2 ** 31 - 1, 10)).toBeGreaterThan(2 ** 31)
    for (const [data, partition] of [
      [-1, 0],
      [Number.NaN, 0],
      [0, -1],
      [2 ** 31, 0],
      [1.5, 0],
    ] as const) {
      expect(() => asherah.estimateBuffer(data, partition)).toThrow(RangeError)
    }
  })

  it('a record in parts round-trips, and is the record', async () => {
    await asherah.setupAsync(memoryConfig)
    const parts = asherah.encryptToParts('p', 'in parts')
    expect(parts.parentKeyId).toBe('_IK_p_service_product')
    expect(parts.key).toHaveLength(60)
    expect(asherah.decryptFromParts('p', parts).toString()).toBe('in parts')
    const later = await asherah.encryptToPartsAsync('p', 'in parts')
    expect((await asherah.decryptFromPartsAsync('p', later)).toString()).toBe('in parts')
    expect(codeOf(() => asherah.decryptFromParts('p', { ...parts, key: Buffer.alloc(3) }))).toBe(
      'ERR_ASHERAH_INVALID_INPUT',
    )
  })

  it('clearPlaintext wipes', () => {
    const bytes = Buffer.from('secret')
    asherah.clearPlaintext(bytes)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    expect(codeOf(() => asherah.clearPlaintext(Object('text')))).toBe('ERR_ASHERAH_INVALID_INPUT')
  })
})

it('bytes are taken as they are at the call, also before the backends are loaded', async () => {
  asherah.setup(memoryConfig)
  const plaintext = Buffer.from('as called')
  const pending = asherah.encryptAsync('p', plaintext)
  plaintext.fill(0)
  const record = Buffer.from(await pending)
  const reading = asherah.decryptAsync('p', record)
  record.fill(0)
  expect((await reading).toString()).toBe('as called')
})
