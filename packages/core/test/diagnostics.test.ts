import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import * as backendDoor from '../src/backend.ts'
import { channels, SessionFactory, type TraceChannel, type TraceContext } from '../src/index.ts'
import { runProgram } from './child/run.ts'
import {
  bytesOf,
  createPeer,
  createWorld,
  HOUR,
  intermediateKeyId,
  recordEvents,
  SYSTEM_KEY_ID,
  settle,
} from './fakes.ts'
import { minimalOptions, rejectionOf } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')
const ikId = intermediateKeyId('p')

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** One message of a tracing channel. */
interface Traced {
  readonly name: string
  readonly phase: string
  readonly context: TraceContext
  /** What the context said when it was published. */
  readonly said: TraceContext
}

/** Listens to every phase of tracing channels, until the test ends. */
function recordTraces(traced: readonly TraceChannel[] = Object.values(channels.trace)): Traced[] {
  const messages: Traced[] = []
  for (const one of traced) {
    const phases = {
      start: one.start,
      end: one.end,
      asyncStart: one.asyncStart,
      asyncEnd: one.asyncEnd,
      error: one.error,
    }
    for (const [phase, { name }] of Object.entries(phases)) {
      const listener = (message: unknown): void => {
        if (typeof message !== 'object' || message === null) throw new Error('a context is an object')
        const prefix = String(name)
          .replace(/^tracing:/, '')
          .replace(new RegExp(`:${phase}$`), '')
        messages.push({ name: prefix, phase, context: message, said: { ...message } })
      }
      subscribe(name, listener)
      stops.push(() => unsubscribe(name, listener))
    }
  }
  return messages
}
const started = (messages: readonly Traced[]): [string, TraceContext][] =>
  messages.filter(({ phase }) => phase === 'start').map(({ name, said }) => [name, said])

describe('names', () => {
  it('are the documented ones, and the objects are those of node:diagnostics_channel', () => {
    const traces = Object.values(channels.trace).map(({ start }) => String(start.name))
    expect(traces).toEqual([
      'tracing:asherah:encrypt:start',
      'tracing:asherah:decrypt:start',
      'tracing:asherah:metastore.load:start',
      'tracing:asherah:metastore.loadLatest:start',
      'tracing:asherah:metastore.store:start',
      'tracing:asherah:kms.encryptKey:start',
      'tracing:asherah:kms.decryptKey:start',
    ])
    for (const [name, one] of [
      ['asherah:cache', channels.cache],
      ['asherah:key', channels.key],
      ['asherah:warning', channels.warning],
    ] as const) {
      expect(channel(name)).toBe(one)
    }
    expect(backendDoor.channels).toBe(channels)
  })
})

describe('tracing', () => {
  it('a cold encrypt: each call that it makes, with the key', async () => {
    const world = createWorld()
    const messages = recordTraces()
    const { key } = await world.factory.getSession('p').encrypt(plaintext)
    const { created } = key.parentKeyMeta
    expect(started(messages)).toEqual([
      ['asherah:encrypt', { partitionId: 'p', size: plaintext.byteLength }],
      ['asherah:metastore.loadLatest', { keyId: ikId }],
      ['asherah:metastore.loadLatest', { keyId: SYSTEM_KEY_ID }],
      ['asherah:kms.encryptKey', { keyId: SYSTEM_KEY_ID, created }],
      ['asherah:metastore.store', { keyId: SYSTEM_KEY_ID, created }],
      ['asherah:metastore.store', { keyId: ikId, created }],
    ])
  })

  it('a cold decrypt: likewise', async () => {
    const world = createWorld()
    const record = await world.factory.getSession('p').encrypt(plaintext)
    const { created } = record.key.parentKeyMeta
    const peer = createPeer(world)
    const messages = recordTraces()
    await peer.factory.getSession('p').decrypt(record)
    expect(started(messages)).toEqual([
      ['asherah:decrypt', { partitionId: 'p' }],
      ['asherah:metastore.load', { keyId: ikId, created }],
      ['asherah:metastore.load', { keyId: SYSTEM_KEY_ID, created }],
      ['asherah:kms.decryptKey', { keyId: SYSTEM_KEY_ID, created }],
    ])
  })

  it('every call has start, end, asyncStart and asyncEnd, on one context', async () => {
    const world = createWorld()
    const messages = recordTraces()
    const session = world.factory.getSession('p')
    await session.decrypt(await session.encrypt(plaintext))
    await session.encryptToJson(plaintext)
    const contexts = new Map<TraceContext, string[]>()
    for (const { context, phase } of messages) contexts.set(context, [...(contexts.get(context) ?? []), phase])
    expect(contexts.size).toBe(8)
    for (const phases of contexts.values()) expect(phases).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  })

  it('a call that fails has error too, with what the caller gets', async () => {
    const world = createWorld()
    const messages = recordTraces()
    world.metastore.before = () => {
      throw new Error('down')
    }
    const error = await rejectionOf(world.factory.getSession('p').encrypt(plaintext))
    const failed = messages.filter(({ phase }) => phase === 'error')
    expect(failed.map(({ name }) => name)).toEqual(['asherah:metastore.loadLatest', 'asherah:encrypt'])
    expect(failed.every(({ said }) => said.error === error)).toBe(true)
    for (const { context } of failed) {
      const phases = messages.filter((message) => message.context === context).map(({ phase }) => phase)
      expect(phases).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    }
  })

  it('a warm call, a call of each kind of session, and a load are traced', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const json = world.factory.getSessionJson('p')
    const record = await session.encrypt(plaintext)
    const written = await json.encrypt(1)
    const messages = recordTraces([channels.trace.encrypt, channels.trace.decrypt])
    await session.encrypt(plaintext)
    await session.encryptToJson(plaintext)
    await session.decrypt(record)
    await session.decrypt(JSON.stringify(record))
    await session.load('k', { load: async () => record })
    await json.encrypt(22)
    await json.decrypt(written)
    expect(started(messages)).toEqual([
      ['asherah:encrypt', { partitionId: 'p', size: 19 }],
      ['asherah:encrypt', { partitionId: 'p', size: 19 }],
      ['asherah:decrypt', { partitionId: 'p' }],
      ['asherah:decrypt', { partitionId: 'p' }],
      ['asherah:decrypt', { partitionId: 'p' }],
      ['asherah:encrypt', { partitionId: 'p', size: 2 }],
      ['asherah:decrypt', { partitionId: 'p' }],
    ])
  })

  it('D-106 with uniformErrors, what is traced is what the caller gets', async () => {
    const world = createWorld({}, {}, { uniformErrors: true })
    const foreign = await world.factory.getSession('q').encrypt(plaintext)
    const messages = recordTraces([channels.trace.decrypt])
    const error = await rejectionOf(world.factory.getSession('p').decrypt(foreign))
    expect(messages.filter(({ phase }) => phase === 'error').map(({ said }) => said.error)).toEqual([error])
  })

  it('AsyncLocalStorage by bindStore: the work of a call, and of what it calls, runs in its store', async () => {
    const world = createWorld()
    const storage = new AsyncLocalStorage<string | undefined>()
    const { start, asyncEnd } = channels.trace.encrypt
    start.bindStore(storage, ({ partitionId }) => `span of ${partitionId}`)
    stops.push(() => start.unbindStore(storage))
    const inside: unknown[] = []
    world.metastore.before = async () => {
      await settle()
      inside.push(storage.getStore())
    }
    const ended: unknown[] = []
    const onEnd = (): void => void ended.push(storage.getStore())
    subscribe(asyncEnd.name, onEnd)
    stops.push(() => unsubscribe(asyncEnd.name, onEnd))
    await Promise.all(['p', 'q'].map((id) => world.factory.getSession(id).encrypt(plaintext)))
    expect(new Set(inside)).toEqual(new Set(['span of p', 'span of q']))
    expect(ended.sort()).toEqual(['span of p', 'span of q'])
    expect(storage.getStore()).toBeUndefined()
  })
})

describe('nobody listens', () => {
  /** Counts what is published or begun on every channel, whoever listens. */
  function countPublications(): { count: number } {
    const seen = { count: 0 }
    const phases = Object.values(channels.trace).flatMap((one) => [
      one.start,
      one.end,
      one.asyncStart,
      one.asyncEnd,
      one.error,
    ])
    const all: object[] = [channels.cache, channels.key, channels.warning, ...phases]
    for (const one of all) {
      for (const method of ['publish', 'runStores']) {
        const original: unknown = Reflect.get(one, method)
        if (typeof original !== 'function') throw new Error(`no ${method}`)
        Reflect.set(one, method, (...given: unknown[]): unknown => {
          seen.count += 1
          return Reflect.apply(original, one, given)
        })
        stops.push(() => Reflect.deleteProperty(one, method))
      }
    }
    return seen
  }

  it('nothing is published, and no context is made', async () => {
    const seen = countPublications()
    const run = async (): Promise<void> => {
      const world = createWorld({ cacheSessions: true, notifyExpiredKeyOnRead: true, expireAfterMs: HOUR })
      const session = world.factory.getSession('p')
      const record = await session.encrypt(plaintext)
      await session.decrypt(record)
      world.clock.advance(2 * HOUR)
      await session.encrypt(plaintext)
      await session.decrypt(record)
      await rejectionOf(session.decrypt(await world.factory.getSession('q').encrypt(plaintext)))
      await world.factory.close()
    }
    await run()
    expect(seen.count).toBe(0)
    const events = recordEvents()
    await run()
    events.stop()
    expect(seen.count).toBeGreaterThan(10)
  })
})

describe('events', () => {
  it('asherah:key and asherah:cache tell what becomes of keys and caches', async () => {
    const events = recordEvents()
    stops.push(events.stop)
    const world = createWorld({ expireAfterMs: HOUR, notifyExpiredKeyOnRead: true })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(plaintext)
    const { created } = record.key.parentKeyMeta
    await session.encrypt(plaintext)
    world.clock.advance(2 * HOUR)
    const rotated = await session.encrypt(plaintext)
    await session.decrypt(record)
    const keys = events.key.map(({ event, keyId }) => [event, keyId])
    expect(keys).toEqual([
      ['created', SYSTEM_KEY_ID],
      ['created', ikId],
      ['rotated', SYSTEM_KEY_ID],
      ['rotated', ikId],
      ['expiredOnRead', ikId],
      ['expiredOnRead', SYSTEM_KEY_ID],
    ])
    expect(events.key[1]?.created).toBe(created)
    expect(events.key[3]?.created).toBe(rotated.key.parentKeyMeta.created)
    expect(events.key[4]?.ageMs).toBe(world.clock.now() - created * 1_000)
    expect(events.cache.filter(({ cache }) => cache === 'ik').map(({ event }) => event)).toContain('hit')
    expect(events.warning).toEqual([])
  })

  it('the session cache: miss, hit and evict, by partition', () => {
    const events = recordEvents()
    stops.push(events.stop)
    const { factory, clock } = createWorld({ cacheSessions: true, sessionCacheMaxSize: 2, sessionCacheTtlMs: 1_000 })
    factory.getSession('a').close()
    factory.getSession('a').close()
    factory.getSession('b')
    factory.getSession('b').close()
    factory.getSession('c').close()
    clock.advance(5_000)
    factory.getSession('c').close()
    expect(events.cache.map(({ cache, event, keyId }) => `${cache} ${event} ${keyId}`)).toEqual([
      'session miss a',
      'session hit a',
      'session miss b',
      'session hit b',
      'session miss c',
      'session evict a',
      'session miss c',
    ])
  })
})

describe('D-134 several factories', () => {
  it('are told apart by key id, and who stops listening stops nobody else', async () => {
    const mine = recordEvents()
    const other = recordEvents()
    stops.push(other.stop)
    const shop = new SessionFactory({ ...minimalOptions(), product: 'shop' })
    const blog = new SessionFactory({ ...minimalOptions(), product: 'blog' })
    const messages = recordTraces()
    await shop.getSession('p').encrypt(plaintext)
    await blog.getSession('p').encrypt(plaintext)
    await blog.getSession('q').encrypt(plaintext)
    const created = (product: string): number => mine.key.filter(({ keyId }) => keyId.endsWith(`_${product}`)).length
    expect([created('shop'), created('blog')]).toEqual([2, 3])
    const stored = (product: string): number =>
      started(messages).filter(
        ([name, { keyId }]) => name === 'asherah:metastore.store' && keyId?.endsWith(`_${product}`),
      ).length
    expect([stored('shop'), stored('blog')]).toEqual([2, 3])

    mine.stop()
    const { length } = mine.key
    await shop.getSession('r').encrypt(plaintext)
    expect(mine.key).toHaveLength(length)
    expect(other.key).toHaveLength(length + 1)
    await shop.close()
    await blog.getSession('s').encrypt(plaintext)
    expect(other.key).toHaveLength(length + 2)
  })
})

describe('a subscriber that throws', () => {
  it('D-113 fails no call: Node reports it as an uncaught exception, which the program may handle', async () => {
    const { code, stdout, stderr } = await runProgram('throwing-subscriber.ts')
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const { results, uncaught } = JSON.parse(stdout)
    expect(results).toEqual(['ok', 'ERR_ASHERAH_INVALID_INPUT', 'ok'])
    expect(uncaught).toBeGreaterThan(10)
  })
})
