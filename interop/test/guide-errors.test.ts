import { readFileSync } from 'node:fs'
import * as compat from '@asherah/compat'
import { configKeys, createFactoryFromConfig, planOf, readConfigEnvironment, readConfigObject } from '@asherah/config'
import { type Metastore, SessionFactory } from '@asherah/core'
import { parseEnvelopeKeyRecord } from '@asherah/core/backend'
import { createInsecureTestKms, createStaticKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import * as asherah from 'asherah'
import { beforeAll, describe, expect, it, vi } from 'vitest'

// D-126: an error text in a guide is the one that the code gives, whole; and each that is provoked here is in a guide.

const guides = ['asherah-3', 'asherah-4', 'csharp', 'java', 'go'] as const
const masterKeyHex = `${'a1'.repeat(31)}b2`
const ids = { ServiceName: 'billing', ProductID: 'shop' }
const memory = { ...ids, Metastore: 'memory' }
const withKey = { ...memory, KMS: 'static', StaticMasterKeyHex: masterKeyHex }
const vault = { KMS: 'vault', VaultAddr: 'https://vault.example', VaultTransitKey: 'k', VaultToken: 't' }
const aws = { KMS: 'aws', RegionMap: { 'us-west-2': 'arn:a', 'us-east-1': 'arn:b' } }

const plan = (config: object): unknown => planOf(readConfigObject(config, {}))
/** As where npm left the optional packages out. */
const withoutOptional = (config: object): Promise<unknown> =>
  createFactoryFromConfig(config, {
    load: (name) => import(name.includes('kms-static') ? name : `${name}-that-is-not-there`),
  })
const rdbms = (connectionString: string): object => ({
  ...withKey,
  Metastore: 'rdbms',
  ConnectionString: connectionString,
})

function coreFactory(metastore: Metastore = createMemoryMetastore(), masterKey = 'the master key of this test: 32!') {
  return new SessionFactory({ service: 'billing', product: 'shop', metastore, kms: createStaticKms({ masterKey }) })
}

function compatFactory(metastore: Metastore = new compat.InMemoryMetastoreImpl()) {
  return compat.SessionFactory.newBuilder('shop', 'billing')
    .withMetastore(metastore)
    .withNeverExpiredCryptoPolicy()
    .withStaticKeyManagementService('the master key of this test: 32!')
    .build()
}

/** A memory metastore of which some calls fail, as a database does that is gone. */
function failing(calls: Partial<Metastore>): Metastore {
  const inner = createMemoryMetastore()
  return {
    load: (...given) => inner.load(...given),
    loadLatest: (...given) => inner.loadLatest(...given),
    store: (...given) => inner.store(...given),
    ...calls,
  }
}
const gone = (): Promise<never> => Promise.reject(new Error('the database is gone'))
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Each throws, or rejects with, a text or a code that a guide has. */
const provocations: Readonly<Record<string, () => unknown>> = {
  nanoseconds: () => plan({ ExpireAfter: 7_776_000_000_000_000 }),
  'a duration of 0': () => plan({ CheckInterval: 0 }),
  'a duration in text': () => plan({ ExpireAfter: '60' }),
  'a size below 1': () => plan({ SessionCacheMaxSize: -1 }),
  'a pool of 0': () => plan({ PoolMaxOpen: 0 }),
  'an unknown key': () => plan({ DynamoDBTablename: 't' }),
  'an unknown key in camelCase': () => plan({ dynamoDbTablename: 't' }),
  'both casings': () => plan({ ServiceName: 'a', serviceName: 'b' }),
  'no KMS': () => plan(memory),
  'an unknown KMS': () => plan({ ...memory, KMS: 'gcp' }),
  'no static key': () => plan({ ...memory, KMS: 'static' }),
  'a static key that is no hex': () => plan({ ...memory, KMS: 'static', StaticMasterKeyHex: 'aéa' }),
  'several regions': () => plan({ ...memory, ...aws }),
  'a token and a login': () => plan({ ...memory, ...vault, VaultAuthMethod: 'approle' }),
  'an empty environment': () => planOf(readConfigEnvironment({})),
  'an environment without a metastore': () =>
    planOf(readConfigEnvironment({ SERVICE_NAME: 's', PRODUCT_ID: 'p', KMS: 'aws' })),
  'a JDBC URL': () => compat.AdoMetastoreImpl.newBuilder('jdbc:mysql://db.example/keys').build(),
  'MySQL left out': () => withoutOptional(rdbms('mysql://db.example/keys')),
  'SQL Server left out': () => withoutOptional(rdbms('Server=db.example;Database=keys')),
  'Vault left out': () => withoutOptional({ ...memory, ...vault }),
  'a host without a name': () =>
    createFactoryFromConfig(rdbms('app:password@tcp(192.0.2.1:3306)/keys'), { load: (name) => import(name) }),
  'the public key in production': () => createFactoryFromConfig({ ...memory, KMS: 'test-debug-static' }),
  'another layout': async () => {
    const metastore = createMemoryMetastore()
    const load = async (name: string): Promise<unknown> =>
      name === '@asherah/metastore-memory' ? { createMemoryMetastore: () => metastore } : import(name)
    const guarded = { ...withKey, EnableConfigDriftGuard: true }
    await createFactoryFromConfig(guarded, { load })
    Object.assign(metastore, { regionSuffix: 'us-west-2' })
    await createFactoryFromConfig(guarded, { load })
  },
  'setup twice': () => {
    asherah.setup(withKey)
    return asherah.setup(withKey)
  },
  'setenv after setup': () => {
    if (!asherah.getSetupStatus()) asherah.setup(withKey)
    return asherah.setenv('{"A":"1"}')
  },
  'no setup': async () => {
    await asherah.shutdownAsync()
    asherah.encrypt('p', 'x')
  },
  'an empty partition': () => new asherah.SessionFactory(withKey).getSession(''),
  'a closed session': () => {
    const session = new asherah.SessionFactory(withKey).getSession('p')
    session.close()
    return session.encrypt('x')
  },
  'a closed factory': () => {
    const factory = new asherah.SessionFactory(withKey)
    const session = factory.getSession('p')
    factory.close()
    return session.encrypt('x')
  },
  'a closed factory of compat': async () => {
    const factory = compatFactory()
    await factory.close()
    factory.getSessionBytes('p')
  },
  'a short key': () => new compat.StaticKeyManagementServiceImpl('short'),
  'the public key': () => createStaticKms({ masterKey: 'thisIsAStaticMasterKeyForTesting' }),
  'no days': () => compat.BasicExpiringCryptoPolicy.newBuilder().withKeyExpirationDays(0).withRevokeCheckMinutes(60),
  'an expiry of 0': () => new SessionFactory({ ...ofCore(), policy: { expireAfterMs: 0 } }),
  'a misspelt option': () => new SessionFactory({ ...ofCore(), policy: Object({ expireAfter: 1 }) }),
  'another region': async () => {
    const east = coreFactory(createMemoryMetastore({ regionSuffix: 'us-east-1' }))
    const record = await east.getSession('shopper-123').encrypt(text('x'))
    await coreFactory(createMemoryMetastore({ regionSuffix: 'us-west-2' }))
      .getSession('shopper-123')
      .decrypt(record)
  },
  'another partition': async () => {
    const factory = compatFactory()
    const record = await factory.getSessionBytes('shopper-123').encrypt(text('x'))
    await factory.getSessionBytes('shopper-456').decrypt(record)
  },
  'a row that is gone': async () => {
    const record = await coreFactory().getSession('p').encrypt(text('x'))
    await coreFactory().getSession('p').decrypt(record)
  },
  'a database that does not answer': () =>
    compatFactory(failing({ loadLatest: gone }))
      .getSessionBytes('shopper-123')
      .encrypt(text('x')),
  'a database that does not store': () =>
    compatFactory(failing({ store: gone }))
      .getSessionBytes('shopper-123')
      .encrypt(text('x')),
  'a database that does not answer core': () =>
    coreFactory(failing({ loadLatest: gone }))
      .getSession('p')
      .encrypt(text('x')),
  'bytes in a JSON session': async () => {
    const factory = compatFactory()
    const record = await factory.getSessionBytes('p').encrypt(text('x'))
    await factory.getSessionJson('p').decrypt(record)
  },
  'another master key': async () => {
    const metastore = createMemoryMetastore()
    await coreFactory(metastore).getSession('p').encrypt(text('x'))
    await coreFactory(metastore, 'another master key of 32 letters').getSession('p').encrypt(text('x'))
  },
  'D-085 a corrupt row': () => {
    const loadLatest: Metastore['loadLatest'] = async (keyId) =>
      parseEnvelopeKeyRecord('{"Revoked":€€€}', { keyId, created: 1 })
    return coreFactory(failing({ loadLatest })).getSession('p').encrypt(text('x'))
  },
}

function ofCore() {
  const kms = createInsecureTestKms({ allowInProduction: true })
  return { service: 's', product: 'p', metastore: createMemoryMetastore(), kms }
}

interface Told {
  readonly name: string
  readonly message: string
  readonly code: string
}

const told: Told[] = []

beforeAll(async () => {
  vi.stubEnv('NODE_ENV', 'production')
  for (const [name, provoke] of Object.entries(provocations)) {
    try {
      await provoke()
    } catch (error) {
      const { message, code, cause } = Object(error)
      told.push({ name, message, code: code ?? Object(cause).code })
    }
  }
  await asherah.shutdownAsync()
  vi.unstubAllEnvs()
})

function textOf(guide: string): string {
  return readFileSync(new URL(`../../docs/migrating-from-${guide}.md`, import.meta.url), 'utf8')
}

/** The backticked texts in the column of error texts. */
function quotedIn(guide: string): string[] {
  const [, table = ''] = textOf(guide).split('| error text |\n')
  const rows = table.split('\n\n')[0]?.split('\n').slice(1) ?? []
  return rows.flatMap((row) => {
    const cells = row.split(' | ')
    expect(cells, row).toHaveLength(3)
    return [...(cells[2] ?? '').matchAll(/`([^`]+)`/g)].map(([, quoted = '']) => quoted)
  })
}

describe('D-126 the error texts in the migration guides', () => {
  it('each provocation ends in an error', () => {
    expect(told.map(({ name }) => name)).toEqual(Object.keys(provocations))
  })

  it.each(guides)('from %s: each is one that the code gives', (guide) => {
    const [warning] = planOf(readConfigObject({ ...withKey, EnableCanaries: true }, {})).warnings
    const known = new Set([warning, ...told.flatMap(({ message, code }) => [message, code])])
    const quoted = quotedIn(guide)
    expect(quoted.length).toBeGreaterThan(5)
    expect(quoted.filter((one) => !known.has(one))).toEqual([])
  })

  it('each that the code gives is in a guide', () => {
    const quoted = new Set(guides.flatMap(quotedIn))
    expect(told.filter(({ message, code }) => !quoted.has(message) && !quoted.has(code))).toEqual([])
  })
})

/** What a guide calls a config key: in the section of that name, or in the column of keys. */
function keysIn(guide: string): string[] {
  const [, section] = textOf(guide).split('## Config keys\n')
  const [, column = ''] = textOf(guide).split('| key in a config of `@asherah/asherah` |\n')
  const rows = (section ?? column).split('\n## ')[0]?.split('\n').slice(1) ?? []
  const cells = section === undefined ? rows.map((row) => row.split(' | ').at(-1) ?? '') : rows
  return cells.flatMap((cell) => [...cell.matchAll(/`([A-Z][A-Za-z]+)(?:: [^`]*)?`/g)].map(([, key = '']) => key))
}

describe('D-126 the config keys in the migration guides', () => {
  const known = new Set(configKeys.map(({ name }) => name))

  it.each(guides)('from %s: each is one', (guide) => {
    const keys = keysIn(guide)
    expect(keys.length).toBeGreaterThan(8)
    expect(keys.filter((key) => !known.has(key))).toEqual([])
  })

  it.each(['asherah-3', 'asherah-4'])('from %s: a config in JSON is accepted', (guide) => {
    const blocks = [...textOf(guide).matchAll(/```json\n(.*?)```/gs)].map(([, json = '']) => JSON.parse(json.trim()))
    const configs = blocks.filter((block) => !('dependencies' in block))
    expect(configs).toHaveLength(1)
    for (const config of configs) {
      const { metastore } = planOf(readConfigObject({ ...withKey, Metastore: 'dynamodb', ...config }, {}))
      expect(metastore.options).toMatchObject({ region: 'us-west-2', regionSuffix: true })
    }
  })
})
