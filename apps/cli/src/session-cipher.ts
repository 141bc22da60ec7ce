import { type Clock, type KeyManagementService, type Metastore, SessionFactory } from '@asherah/core'
import type { Cipher } from './formats/format.ts'
import { countingMetastore, type KeyCount } from './keys/counting-metastore.ts'
import { guardSystemKeys } from './keys/system-key-guard.ts'

/** What {@link createSessionCipher} takes. */
export interface SessionCipherOptions {
  readonly service: string
  readonly product: string
  readonly metastore: Metastore
  readonly kms: KeyManagementService
  /** Default: the library's, 90 days. */
  readonly expireAfterMs?: number | undefined
  readonly clock?: Clock
}

/** A {@link Cipher} of one session factory. */
export interface SessionCipher extends Cipher {
  readonly keysCreated: KeyCount
  /** Distinct partitions, counted up to {@link maxPartitionsCounted}. */
  readonly partitions: number
  /** Waits for what is in flight and wipes the keys. The metastore and the KMS stay open. */
  close(): Promise<void>
}

/** Counting more partitions than this would need memory that grows with the input. */
export const maxPartitionsCounted = 100_000

/** Partitions come in any order. A session takes some kB of memory, an intermediate key alone much less. */
const cachedSessions = 1_000
const cachedKeys = 10_000

/** Encrypts and decrypts through sessions, which the factory caches; a new system key is guarded, see {@link guardSystemKeys}. @throws InvalidConfigError */
export function createSessionCipher(options: SessionCipherOptions): SessionCipher {
  const metastore = countingMetastore(options.metastore)
  const factory = new SessionFactory({
    service: options.service,
    product: options.product,
    metastore,
    kms: guardSystemKeys(options.kms, options.metastore),
    policy: {
      cacheSessions: true,
      sessionCacheMaxSize: cachedSessions,
      sharedIntermediateKeyCache: true,
      intermediateKeyCacheMaxSize: cachedKeys,
      ...(options.expireAfterMs === undefined ? {} : { expireAfterMs: options.expireAfterMs }),
    },
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })
  const partitions = new Set<string>()
  const count = (partition: string): void => {
    if (partitions.size < maxPartitionsCounted) partitions.add(partition)
  }
  return {
    get keysCreated() {
      return metastore.created
    },
    get partitions() {
      return partitions.size
    },
    async encrypt(partition, plaintext) {
      const session = factory.getSession(partition)
      try {
        const record = await session.encryptToJson(plaintext)
        count(partition)
        return record
      } finally {
        session.close()
      }
    },
    async decrypt(partition, record) {
      const session = factory.getSession(partition)
      try {
        const plaintext = await session.decrypt(record)
        count(partition)
        return plaintext
      } finally {
        session.close()
      }
    },
    close: () => factory.close(),
  }
}
