import { readFileSync } from 'node:fs'
import { type AsherahConfig, setenv, setup, shutdownAsync } from '@asherah/asherah'
import { createFactoryFromConfig, planOf, readConfigEnvironment, readConfigObject } from '@asherah/config'
import { SessionFactory } from '@asherah/core'
import { createStaticKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { describe, expect, it } from 'vitest'
import { MASTER_KEY_HEX, memoryConfig } from './config.ts'

// D-126: every error text in a guide is one that the code gives.

const guides = ['asherah-3', 'asherah-4', 'csharp', 'java', 'go'] as const
const textOf = (guide: string): string =>
  readFileSync(new URL(`../../../docs/migrating-from-${guide}.md`, import.meta.url), 'utf8')

const read = (config: AsherahConfig): unknown => planOf(readConfigObject(config, {}))
const base: AsherahConfig = { ServiceName: 's', ProductID: 'p', Metastore: 'memory' }
const aws = { KMS: 'aws', RegionMap: { 'us-west-2': 'arn:a', 'us-east-1': 'arn:b' } }
const vault = {
  KMS: 'vault',
  VaultAddr: 'https://v',
  VaultTransitKey: 'k',
  VaultToken: 't',
  VaultAuthMethod: 'approle',
}
const factory = (): SessionFactory =>
  new SessionFactory({
    service: 's',
    product: 'p',
    metastore: createMemoryMetastore(),
    kms: createStaticKms({ masterKeyHex: MASTER_KEY_HEX }),
  })

/** What provokes each text. */
const provocations: readonly (() => unknown)[] = [
  () => read({ ExpireAfter: 7_776_000_000_000_000 }),
  () => read({ CheckInterval: 0 }),
  () => read(base),
  () => read({ ...base, KMS: 'static' }),
  () => read({ DynamoDBTablename: 't' } as AsherahConfig),
  () => read({ dynamoDbTablename: 't' } as AsherahConfig),
  () => read({ ...base, ...aws }),
  () => read({ ServiceName: 'a', serviceName: 'b' }),
  () => read({ SessionCacheMaxSize: -1 }),
  () => planOf(readConfigEnvironment({ SERVICE_NAME: 's', PRODUCT_ID: 'p', KMS: 'aws' })),
  () => planOf(readConfigEnvironment({})),
  () => read({ ...base, ...vault }),
  () => read({ ...base, KMS: 'static', StaticMasterKeyHex: 'aéa' }),
  () => createStaticKms({ masterKey: 'short' }),
  () => factory().getSession(''),
]

async function allMessages(): Promise<string[]> {
  const messages: string[] = []
  const hear = async (call: () => unknown): Promise<void> => {
    try {
      await call()
    } catch (error) {
      messages.push(error instanceof Error ? error.message : '')
    }
  }
  for (const call of provocations) await hear(call)
  await hear(() => setup(memoryConfig))
  await hear(() => setup(memoryConfig))
  await hear(() => setenv('{"A":"1"}'))
  await shutdownAsync()
  const { encrypt } = await import('@asherah/asherah')
  await hear(() => encrypt('p', 'x'))
  const own = factory().getSession('p')
  own.close()
  await hear(() => own.encrypt(Buffer.from('x')))
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  await hear(() => createFactoryFromConfig({ ...base, KMS: 'test-debug-static' }, { load: (name) => import(name) }))
  process.env.NODE_ENV = before
  const planned = planOf(readConfigObject({ ...base, KMS: 'test-debug-static', EnableCanaries: true }, {}))
  return [...messages, ...planned.warnings]
}

describe('the error texts in the migration guides', () => {
  it.each(guides)('from %s', async (guide) => {
    const messages = await allMessages()
    // The third column of the tables of differences; codes and other documents are not texts.
    const quoted = textOf(guide)
      .split('\n')
      .filter((line) => line.startsWith('|') && line.split(' | ').length === 3)
      .flatMap((line) => [...(line.split(' | ')[2] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''))
      .filter((text) => !text.startsWith('ERR_ASHERAH'))
    expect(quoted.length).toBeGreaterThan(0)
    const drift = "the metastore was first used with another layout than this config's" // shown in @asherah/config's tests
    for (const text of quoted)
      expect(
        [...messages, drift].filter((message) => message.startsWith(text)),
        text,
      ).not.toEqual([])
  })
})
