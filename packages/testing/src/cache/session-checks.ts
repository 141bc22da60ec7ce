import assert from 'node:assert/strict'
import { type CryptoPolicyOptions, SessionFactory } from '@asherah/core'
import {
  type CacheFactory,
  createHeapSecrets,
  type KeyManagementService,
  type Metastore,
  openAes256Gcm,
  parseEnvelopeKeyRecord,
  type Secret,
  type SecretFactory,
  sealAes256Gcm,
  serializeEnvelopeKeyRecord,
} from '@asherah/core/backend'
import type { Check } from '../check.ts'
import { createFakeClock } from '../fake-clock.ts'
import type { CacheSubject } from './cache-checks.ts'

const KEY_LIFE_MS = 3_600_000
const ROUNDS = 5
const PARTITIONS = 24
/** Few enough that every cache is over its bound all the time. */
const SIZE = 3

/** One place of a factory's policy for a cache; the other caches are off, so that its keys can be counted. */
interface Place {
  readonly name: string
  policy(cache: CacheFactory, size: number | undefined): CryptoPolicyOptions
  /** Keys that stay open between calls when the cache holds `entries`. */
  openKeys(entries: number): number
}

const places: readonly Place[] = [
  {
    name: 'system keys',
    policy: (systemKeyCache, size) => ({
      systemKeyCache,
      ...(size !== undefined && { systemKeyCacheMaxSize: size }),
      cacheIntermediateKeys: false,
    }),
    openKeys: (entries) => entries,
  },
  {
    name: 'intermediate keys',
    policy: (intermediateKeyCache, size) => ({
      intermediateKeyCache,
      ...(size !== undefined && { intermediateKeyCacheMaxSize: size }),
      sharedIntermediateKeyCache: true,
      cacheSystemKeys: false,
    }),
    openKeys: (entries) => entries,
  },
  {
    name: 'sessions',
    policy: (sessionCache, size) => ({
      sessionCache,
      ...(size !== undefined && { sessionCacheMaxSize: size }),
      cacheSessions: true,
      cacheSystemKeys: false,
    }),
    // Each session has a cache of its own for its keys, one of each round.
    openKeys: (entries) => entries * ROUNDS,
  },
]

/** What core does with a cache, on a whole session factory. */
export const sessionChecks: readonly Check<CacheSubject>[] = places.map((place) => ({
  name: `it serves a session factory as its cache of ${place.name}: none is closed in use, none is left open (D-029, D-030)`,
  run: ({ factory, bounded }) => serve(place, factory, bounded),
}))

async function serve(place: Place, cache: CacheFactory, bounded: boolean): Promise<void> {
  const clock = createFakeClock()
  const { secrets, open } = countedSecrets()
  const factory = new SessionFactory({
    service: 'kit',
    product: 'cache',
    metastore: createMapMetastore(),
    kms: createLocalKms(),
    secrets,
    clock,
    policy: { ...place.policy(cache, bounded ? SIZE : undefined), expireAfterMs: KEY_LIFE_MS },
  })
  const written: { readonly partition: string; readonly text: string; readonly payload: string }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    await atOnce(PARTITIONS, async (i) => {
      const partition = `tenant-${i}`
      const payload = `${partition} in round ${round}`
      const record = await inSession(factory, partition, (session) => session.encrypt(Buffer.from(payload)))
      written.push({ partition, payload, text: JSON.stringify(record) })
    })
    await atOnce(written.length, async (i) => {
      const { partition, text, payload } = written[i] ?? assert.fail()
      const opened = await inSession(factory, partition, (session) => session.decrypt(text))
      assert.equal(Buffer.from(opened).toString(), payload, 'a record decrypts')
    })
    if (bounded) assert.ok(open() <= place.openKeys(SIZE), `${open()} keys are open at a maxSize of ${SIZE}`)
    // The next round finds every key expired, and makes new ones.
    clock.advance(KEY_LIFE_MS + 60_000)
  }
  await factory.close()
  assert.equal(open(), 0, 'keys that are open after the factory was closed')
}

async function atOnce(count: number, call: (i: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => call(i)))
}

async function inSession<T>(
  factory: SessionFactory,
  partition: string,
  call: (session: ReturnType<SessionFactory['getSession']>) => Promise<T>,
): Promise<T> {
  const session = factory.getSession(partition)
  try {
    return await call(session)
  } finally {
    session.close()
  }
}

function countedSecrets(): { readonly secrets: SecretFactory; open(): number } {
  const inner = createHeapSecrets()
  const made: Secret[] = []
  const keep = (secret: Secret): Secret => {
    made.push(secret)
    return secret
  }
  return {
    secrets: {
      fromBytes: (bytes) => keep(inner.fromBytes(bytes)),
      createRandom: (length) => keep(inner.createRandom(length)),
      close: () => inner.close(),
    },
    open: () => made.filter(({ closed }) => !closed).length,
  }
}

function createLocalKms(): KeyManagementService {
  const masterKey = crypto.getRandomValues(new Uint8Array(32))
  return {
    encryptKey: async (key) => sealAes256Gcm(key, masterKey),
    decryptKey: async (blob) => openAes256Gcm(blob, masterKey),
  }
}

/** The rows of each id as text, in the order of `created`: each is made later than the one before. */
function createMapMetastore(): Metastore {
  const rows = new Map<string, Map<number, string>>()
  return {
    async load(keyId, created) {
      const text = rows.get(keyId)?.get(created)
      return text === undefined ? null : parseEnvelopeKeyRecord(text, { keyId, created })
    },
    async loadLatest(keyId) {
      const latest = [...(rows.get(keyId) ?? [])].at(-1)
      return latest === undefined ? null : parseEnvelopeKeyRecord(latest[1], { keyId, created: latest[0] })
    },
    async store(keyId, created, record) {
      const versions = rows.get(keyId) ?? new Map<number, string>()
      rows.set(keyId, versions)
      if (versions.has(created)) return false
      versions.set(created, serializeEnvelopeKeyRecord(record))
      return true
    },
  }
}
