import { randomBytes } from 'node:crypto'
import { SessionFactory, type SessionFactoryOptions } from '@asherah/core'
import { type KeyManagementService, type Metastore, openAes256Gcm, sealAes256Gcm } from '@asherah/core/backend'
import { DeleteItemCommand } from '@aws-sdk/client-dynamodb'
import type { Item } from '../src/items.ts'
import type { TestTable } from './tables.ts'

const masterKey = new Uint8Array(randomBytes(32))

/** One KMS for all regions: what AWS does with a multi-region key is `@asherah/kms-aws`'s own matter. */
const sharedKms: KeyManagementService = {
  encryptKey: async (key) => sealAes256Gcm(key, masterKey),
  decryptKey: async (blob) => openAes256Gcm(blob, masterKey),
}

/** In the middle of a minute: two regions that make a key now give it the same `created`. */
const NOW_MS = 1_795_251_390_000

/** A factory of one service, in one region; each with caches of its own, as another machine's. */
export function factoryOf(metastore: Metastore, options: Partial<SessionFactoryOptions> = {}): SessionFactory {
  return new SessionFactory({
    service: 'billing',
    product: 'shop',
    kms: sharedKms,
    clock: { now: () => NOW_MS, monotonicMs: () => performance.now() },
    metastore,
    ...options,
  })
}

/** Encrypts with nothing cached; gives the record's JSON text. */
export async function encryptOnce(
  metastore: Metastore,
  plaintext: string,
  options?: Partial<SessionFactoryOptions>,
  partition = 'shopper',
): Promise<string> {
  await using factory = factoryOf(metastore, options)
  using session = factory.getSession(partition)
  return await session.encryptToJson(Buffer.from(plaintext))
}

/** Decrypts with nothing cached. */
export async function decryptOnce(
  metastore: Metastore,
  record: string,
  options?: Partial<SessionFactoryOptions>,
  partition = 'shopper',
): Promise<string> {
  await using factory = factoryOf(metastore, options)
  using session = factory.getSession(partition)
  return Buffer.from(await session.decrypt(record)).toString()
}

/** The intermediate key that a record names. */
export function parentOf(record: string): { readonly KeyId: string; readonly Created: number } {
  return JSON.parse(record).Key.ParentKeyMeta
}

/**
 * A global table: what one replica wrote reaches the others when the test says so, whole items at a time, and of several
 * writes of one item the latest stays, in all of them.
 */
export function replication(...replicas: readonly TestTable[]) {
  const known = new Map<string, string>()
  return {
    /** @param latest Whose write of an item is the latest one, where several wrote it. */
    async catchUp(latest: TestTable): Promise<void> {
      const winners = new Map<string, { readonly item: Item; readonly from: TestTable }>()
      for (const from of [latest, ...replicas.filter((replica) => replica !== latest)]) {
        for (const item of await from.items()) {
          const id = `${item.Id?.S}\n${item.Created?.N}`
          if (known.get(id) !== JSON.stringify(item) && !winners.has(id)) winners.set(id, { item, from })
        }
      }
      for (const [id, { item, from }] of winners) {
        for (const replica of replicas) if (replica !== from) await replica.put(item)
        known.set(id, JSON.stringify(item))
      }
    },
  }
}

/** Deletes a row, as a restore from an old backup would. */
export async function loseRow(table: TestTable, keyId: string, created: number): Promise<void> {
  const Key = { Id: { S: keyId }, Created: { N: String(created) } }
  await table.client.send(new DeleteItemCommand({ TableName: table.tableName, Key }))
}
