import { type DataRowRecord, type KeyMeta, SessionFactory, type SessionFactoryOptions } from '../../src/index.ts'
import { createFakeClock, type FakeClock } from './clock.ts'
import { createFakeKms, type FakeKms } from './kms.ts'
import { createFakeMetastore, type FakeMetastore, type FakeRows } from './metastore.ts'
import { createSpyCrypto, type SpyCrypto } from './spy-crypto.ts'

/** A factory and all its parts. */
export interface World {
  readonly clock: FakeClock
  readonly metastore: FakeMetastore
  readonly rows: FakeRows
  readonly kms: FakeKms
  readonly crypto: SpyCrypto
  readonly factory: SessionFactory
}

export const SERVICE = 'svc'
export const PRODUCT = 'prod'
export const SYSTEM_KEY_ID = `_SK_${SERVICE}_${PRODUCT}`
export const intermediateKeyId = (partitionId: string): string => `_IK_${partitionId}_${SERVICE}_${PRODUCT}`
/** Of the partition that most tests write in. */
export const IK: string = intermediateKeyId('p')

/**
 * A factory over fakes, without jitter, and without a second look for what is missing. `shared` gives parts of another world: a second process on its store is
 * `createWorld({}, { clock, metastore: createFakeMetastore({ rows }), kms })`.
 */
export function createWorld(
  policy: SessionFactoryOptions['policy'] = {},
  shared: Partial<Omit<World, 'factory' | 'rows'>> = {},
  options: Partial<Omit<SessionFactoryOptions, 'policy' | 'metastore' | 'kms' | 'crypto' | 'clock'>> = {},
): World {
  const clock = shared.clock ?? createFakeClock()
  const metastore = shared.metastore ?? createFakeMetastore()
  const kms = shared.kms ?? createFakeKms()
  const crypto = shared.crypto ?? createSpyCrypto()
  const factory = new SessionFactory({
    service: SERVICE,
    product: PRODUCT,
    metastore,
    kms,
    crypto,
    clock,
    policy: { keyReloadJitter: 0, missingKeyRetryMs: 0, ...policy },
    ...options,
  })
  return { clock, metastore, rows: metastore.rows, kms, crypto, factory }
}

/** A second process on the same store, clock and KMS, with its own metastore client and crypto. */
export function createPeer(
  world: World,
  policy: SessionFactoryOptions['policy'] = {},
  options: Parameters<typeof createWorld>[2] = {},
): World {
  const metastore = createFakeMetastore({
    rows: world.rows,
    ...(world.metastore.regionSuffix !== undefined && { regionSuffix: world.metastore.regionSuffix }),
  })
  return createWorld(policy, { clock: world.clock, kms: world.kms, metastore }, options)
}

/** The intermediate key that a record names. */
export const parentOf = (record: DataRowRecord): KeyMeta => record.key.parentKeyMeta
