import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import { channels } from '../src/index.ts'
import { bytesOf, createWorld } from './fakes.ts'
import { isAllZero, thrownBy, untyped } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** The names of what a traced call publishes, in order. */
function listen(traced: typeof channels.trace.encrypt): string[] {
  const heard: string[] = []
  for (const phase of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const) {
    const listener = (): void => void heard.push(phase)
    const { name } = traced[phase]
    subscribe(name, listener)
    stops.push(() => unsubscribe(name, listener))
  }
  return heard
}

describe('tryEncryptToJson and tryDecrypt', () => {
  test('answer undefined while a key has to be made or loaded, and do no I/O', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
    expect(world.metastore.calls).toEqual([])

    const json = await session.encryptToJson(plaintext)
    const other = createWorld({}, { clock: world.clock, metastore: world.metastore, kms: world.kms })
    expect(other.factory.getSession('p').tryDecrypt(json)).toBeUndefined()
  })

  test('answer at once when the key is there, for every form of a record', async () => {
    const { factory } = createWorld()
    const session = factory.getSession('p')
    await session.encrypt(plaintext)
    const json = session.tryEncryptToJson(plaintext)
    if (json === undefined) throw new Error('the key is cached')
    await expect(session.decrypt(json)).resolves.toEqual(plaintext)
    const forms = [json, bytesOf(json), JSON.parse(json), JSON.stringify(JSON.parse(json), null, 2)]
    for (const form of forms) expect(session.tryDecrypt(form)).toEqual(plaintext)
  })

  test('ask for I/O again once the key must be looked at again', async () => {
    const { factory, clock } = createWorld({ revokeCheckIntervalMs: 60_000, staleWhileRevalidate: false })
    const session = factory.getSession('p')
    const json = await session.encryptToJson(plaintext)
    clock.advance(61_000)
    expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
    expect(session.tryDecrypt(json)).toBeUndefined()
  })

  test('count towards maxUsesPerKey', async () => {
    const { factory } = createWorld({ maxUsesPerKey: 2 })
    const session = factory.getSession('p')
    await session.encrypt(plaintext)
    expect(session.tryEncryptToJson(plaintext)).toBeTypeOf('string')
    expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
  })

  test('take a copy of memory that another thread may change', async () => {
    const { factory } = createWorld()
    const session = factory.getSession('p')
    await session.encrypt(plaintext)
    const shared = new Uint8Array(new SharedArrayBuffer(plaintext.length))
    shared.set(plaintext)
    expect(session.tryDecrypt(session.tryEncryptToJson(shared) ?? '')).toEqual(plaintext)
    expect(isAllZero(shared)).toBe(false)
  })

  test('refuse what the other forms refuse, with the same errors', async () => {
    const { factory } = createWorld({}, {}, { maxPlaintextBytes: 10 })
    const session = factory.getSession('p')
    const foreign = await factory.getSession('q').encryptToJson(bytesOf('x'))
    expect(thrownBy(() => session.tryEncryptToJson(untyped('text')))).toMatchObject({
      code: 'ERR_ASHERAH_INVALID_INPUT',
    })
    expect(thrownBy(() => session.tryEncryptToJson(plaintext))).toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT' })
    expect(thrownBy(() => session.tryDecrypt('{}'))).toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT' })
    expect(thrownBy(() => session.tryDecrypt(foreign))).toMatchObject({ code: 'ERR_ASHERAH_WRONG_PARTITION' })
    session.close()
    expect(thrownBy(() => session.tryEncryptToJson(bytesOf('x')))).toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
    expect(thrownBy(() => session.tryDecrypt(foreign))).toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  })

  test('uniformErrors hides which partition a record is of', async () => {
    const { factory } = createWorld({}, {}, { uniformErrors: true })
    const foreign = await factory.getSession('q').encryptToJson(plaintext)
    expect(thrownBy(() => factory.getSession('p').tryDecrypt(foreign))).toMatchObject({
      code: 'ERR_ASHERAH_DECRYPTION_FAILED',
      message: 'the record cannot be decrypted in this session',
    })
  })

  test('are traced when they do the work, and only then', async () => {
    const { factory } = createWorld()
    const session = factory.getSession('p')
    const encrypts = listen(channels.trace.encrypt)
    const decrypts = listen(channels.trace.decrypt)
    expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
    expect(encrypts).toEqual([])
    const json = await session.encryptToJson(plaintext)
    encrypts.length = 0

    expect(session.tryEncryptToJson(plaintext)).toBeTypeOf('string')
    expect(encrypts).toEqual(['start', 'end'])
    expect(session.tryDecrypt(json)).toEqual(plaintext)
    expect(decrypts).toEqual(['start', 'end'])

    const altered = json.replace(/"Data":"./, (found) => found.slice(0, -1) + (found.endsWith('A') ? 'B' : 'A'))
    expect(thrownBy(() => session.tryDecrypt(altered))).toMatchObject({ code: 'ERR_ASHERAH_DECRYPTION_FAILED' })
    expect(decrypts.slice(2)).toEqual(['start', 'error', 'end'])
  })
})
