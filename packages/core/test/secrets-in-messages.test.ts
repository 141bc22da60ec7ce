import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { openAes256Gcm } from '../src/backend.ts'
import { channels, type EnvelopeKeyRecord } from '../src/index.ts'
import {
  bytesOf,
  createFakeKms,
  createFakeMetastore,
  createPeer,
  createWorld,
  HOUR,
  parentOf,
  SYSTEM_KEY_ID,
} from './fakes.ts'
import { promiseOf } from './harness.ts'

const MARKER = 'seeded-plaintext-marker'

/** Text and bytes that must not be found, by name. */
type Secrets = Map<string, Uint8Array>

/** Everything that a value leads to: own properties of any kind, elements, entries, and causes. */
function* reachable(root: unknown): Generator<unknown> {
  const seen = new Set<unknown>()
  const queue: unknown[] = [root]
  for (let value = queue.pop(); queue.length > 0 || value !== undefined; value = queue.pop()) {
    if (value === undefined || seen.has(value)) continue
    seen.add(value)
    yield value
    if (typeof value !== 'object' || value === null) continue
    if (value instanceof Map || value instanceof Set) queue.push(...value.keys(), ...value.values())
    if (ArrayBuffer.isView(value)) continue
    for (const name of Reflect.ownKeys(value))
      queue.push(typeof name === 'string' ? name : '', Reflect.get(value, name))
  }
}

/** The names of the secrets that a value shows, as text or as bytes. */
function shown(root: unknown, secrets: Secrets): string[] {
  const found = new Set<string>()
  for (const value of reachable(root)) {
    for (const [name, secret] of secrets) {
      const bytes = Buffer.from(secret)
      if (ArrayBuffer.isView(value)) {
        if (Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes(bytes)) found.add(name)
      } else if (typeof value === 'string') {
        const forms = [bytes.toString('latin1'), bytes.toString('hex'), bytes.toString('base64').slice(0, 16)]
        if (forms.some((form) => value.includes(form))) found.add(name)
      }
    }
  }
  return [...found]
}

/** Listens to every channel of the library. */
function recordAll(): { messages: unknown[]; stop(): void } {
  const messages: unknown[] = []
  const phases = Object.values(channels.trace).flatMap((one) => [
    one.start,
    one.end,
    one.asyncStart,
    one.asyncEnd,
    one.error,
  ])
  const names = [channels.cache, channels.key, channels.warning, ...phases].map(({ name }) => name)
  // The message itself, and what it said at the time.
  const listener = (message: unknown): void =>
    void messages.push(message, inspect(message, { depth: 8, showHidden: true }))
  for (const name of names) subscribe(name, listener)
  return {
    messages,
    stop() {
      for (const name of names) unsubscribe(name, listener)
    },
  }
}

describe('D-117 messages and errors', () => {
  it('of a run with every kind of failure show no plaintext, key, or record', async () => {
    const master = new Uint8Array(32).map((_, i) => 200 - i)
    const plaintext = bytesOf(MARKER)
    const recording = recordAll()
    const errors: unknown[] = []
    const fail = async (call: Promise<unknown>): Promise<void> => {
      errors.push(
        await call.then(
          () => new Error('it did not fail'),
          (error: unknown) => error,
        ),
      )
    }

    const policy = { expireAfterMs: HOUR, notifyExpiredKeyOnRead: true, staleGraceMs: HOUR, cacheSessions: true }
    const world = createWorld(policy, { kms: createFakeKms(master), metastore: createFakeMetastore() })
    const session = world.factory.getSession('p')
    const json = world.factory.getSessionJson('p')
    const record = await session.encrypt(plaintext)
    const wire = JSON.parse(JSON.stringify(record))
    const [ikRow] = world.rows.of(parentOf(record).keyId)
    const [skRow] = world.rows.of(SYSTEM_KEY_ID)
    if (ikRow === undefined || skRow === undefined) throw new Error('there are no keys')
    const systemKey = openAes256Gcm(skRow.encryptedKey, master)
    const intermediateKey = openAes256Gcm(ikRow.encryptedKey, systemKey)
    const dataRowKey = openAes256Gcm(record.key.encryptedKey, intermediateKey)

    await session.decrypt(record)
    await session.encryptToJson(plaintext)
    await json.decrypt(await json.encrypt(MARKER))
    await fail(json.decrypt(bytesOf(JSON.stringify(record))))
    await fail(world.factory.getSession('q').decrypt(record))
    const altered = { ...wire, Data: `AAAA${wire.Data.slice(4)}` }
    for (const form of [
      altered,
      JSON.stringify(altered),
      { ...wire, Key: null },
      { Data: MARKER },
      MARKER,
      plaintext,
      [MARKER],
    ]) {
      await fail(promiseOf(session, 'decrypt', form))
      await fail(promiseOf(json, 'decrypt', form))
    }
    for (const value of [MARKER, [MARKER], { marker: MARKER }]) await fail(promiseOf(session, 'encrypt', value))
    await fail(promiseOf(json, 'encrypt', () => MARKER))

    const damage: ((row: EnvelopeKeyRecord) => Partial<EnvelopeKeyRecord>)[] = [
      ({ encryptedKey }) => ({ encryptedKey: encryptedKey.map((byte) => byte ^ 1) }),
      ({ encryptedKey }) => ({ encryptedKey: encryptedKey.slice(1) }),
      () => ({ parentKeyMeta: { keyId: '_SK_other', created: 60 } }),
      () => ({ parentKeyMeta: { keyId: SYSTEM_KEY_ID, created: 60 } }),
    ]
    for (const change of damage) {
      world.rows.edit(ikRow, change(ikRow))
      for (const options of [{}, { uniformErrors: true }]) {
        const { factory } = createPeer(world, policy, options)
        await fail(factory.getSession('p').decrypt(record))
        await fail(factory.getSession('p').encrypt(new Uint8Array(2 ** 26 + 1)))
      }
    }
    world.rows.edit(ikRow, ikRow)
    for (const method of ['encryptKey', 'decryptKey']) {
      const peer = createPeer(world, policy)
      world.kms.before = (called) => {
        if (called === method) throw new Error('the KMS is down')
      }
      if (method === 'decryptKey') await fail(peer.factory.getSession('p').decrypt(record))
      else await fail(createWorld({}, { kms: world.kms }).factory.getSession('p').encrypt(plaintext))
    }
    world.kms.before = undefined
    world.clock.advance(2 * HOUR)
    await session.decrypt(record)
    await session.encrypt(plaintext)
    world.rows.revoke(ikRow)
    world.clock.advance(2 * HOUR)
    await session.encrypt(plaintext)
    world.metastore.before = () => {
      throw new Error('the store is down')
    }
    world.clock.advance(1.5 * HOUR)
    await fail(session.encrypt(plaintext))
    await world.factory.close()
    await fail(session.encrypt(plaintext))
    recording.stop()

    const secrets: Secrets = new Map([
      ['plaintext', plaintext],
      ['master key', master],
      ['system key', systemKey],
      ['intermediate key', intermediateKey],
      ['data row key', dataRowKey],
      ['payload’s ciphertext', record.data.slice(0, 16)],
      ['wrapped data row key', record.key.encryptedKey],
      ['wrapped intermediate key', ikRow.encryptedKey],
    ])
    const texts = errors.map((error) => inspect(error, { depth: 8, showHidden: true }))
    expect(texts.filter((text) => text.includes('it did not fail'))).toEqual([])
    expect(errors.length).toBeGreaterThan(30)
    expect(recording.messages.length).toBeGreaterThan(200)
    expect(shown([...errors, ...texts], secrets)).toEqual([])
    expect(shown(recording.messages, secrets)).toEqual([])

    // The search finds what is there.
    for (const [name, secret] of secrets) {
      const hex = Buffer.from(secret).toString('hex')
      for (const planted of [
        { a: [new Map([[1, secret]])] },
        new Error('x', { cause: new Error(`<${hex}>`) }),
        Buffer.from(secret),
      ]) {
        expect(shown([1, planted], secrets)).toContain(name)
      }
    }
  })
})
