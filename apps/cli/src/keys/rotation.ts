import { type EnvelopeKeyRecord, type KeyManagementService, type Metastore, SessionFactory } from '@asherah/core'
import { isSystemKey } from './key-list.ts'
import { guardSystemKeys } from './system-key-guard.ts'

/** What {@link createRotation} takes. */
export interface RotationOptions {
  readonly service: string
  readonly product: string
  readonly metastore: Metastore
  readonly kms: KeyManagementService
  /** Default: the library's, 90 days. A system key that is older is rotated with the intermediate keys. */
  readonly expireAfterMs?: number
}

/** A key that was made in the place of another. Times are Unix seconds. */
export interface RotatedKey {
  readonly id: string
  readonly created: number
  /** Null: there was none. */
  readonly previous: number | null
}

/** Makes new keys while the present ones are still valid. Nothing is changed or removed: each is one new row. */
export interface Rotation {
  /** A new system key. @throws KmsError when the KMS cannot open the present one: nobody could open a new one then. */
  systemKey(): Promise<RotatedKey>
  /** A new intermediate key of a partition, under the system key that is the latest, or a new one. @throws KmsError as for that. */
  intermediateKey(partition: string): Promise<RotatedKey>
  close(): Promise<void>
}

/** The default of core's `clockSkewMs`. */
const CLOCK_SKEW_SECONDS = 300

/** A partition that nobody has: `keys rotate --system` needs one to make core ask for a system key. */
const NOBODY = 'asherah keys rotate'

/** Rotates through core, which is shown the present keys as if they were revoked. */
export function createRotation(options: RotationOptions): Rotation {
  const { metastore } = options
  const kms = guardSystemKeys(options.kms, metastore)
  const open = (shown: Metastore): SessionFactory => createFactory({ ...options, kms, metastore: shown })
  const partitions = open(asIfRevoked(metastore))
  return {
    async systemKey() {
      const id = systemKeyId(options)
      const before = await latestUsable(metastore, id)
      const factory = open(withoutIntermediateKeys(metastore))
      try {
        await encryptNothing(factory, NOBODY)
      } finally {
        await factory.close()
      }
      const after = await latestUsable(metastore, id)
      return { id, created: after?.created ?? 0, previous: before?.created ?? null }
    },
    async intermediateKey(partition) {
      const { keyId: id, created } = await encryptNothing(partitions, partition)
      const previous = await metastore.loadLatest(id, { notAfter: created - 1 })
      return { id, created, previous: previous?.created ?? null }
    },
    close: () => partitions.close(),
  }
}

/** The id of the system key of a service and product. */
export function systemKeyId({ service, product, metastore }: Omit<RotationOptions, 'kms'>): string {
  return `_SK_${ending(service, product, metastore)}`
}

/** The id of the intermediate key of a partition. */
export function intermediateKeyId(
  partition: string,
  { service, product, metastore }: Omit<RotationOptions, 'kms'>,
): string {
  return `_IK_${partition}_${ending(service, product, metastore)}`
}

/** The partition of an intermediate key of this service and product; undefined: it is another's. */
export function partitionOf(record: EnvelopeKeyRecord, options: Omit<RotationOptions, 'kms'>): string | undefined {
  const end = `_${ending(options.service, options.product, options.metastore)}`
  const { keyId, parentKeyMeta } = record
  // The id alone can be read in two ways, if names hold `_`: the key above tells whose it is.
  if (parentKeyMeta?.keyId !== systemKeyId(options) || !keyId.startsWith('_IK_') || !keyId.endsWith(end))
    return undefined
  return keyId.slice('_IK_'.length, -end.length)
}

function ending(service: string, product: string, { regionSuffix }: Metastore): string {
  return `${service}_${product}${regionSuffix === undefined ? '' : `_${regionSuffix}`}`
}

function createFactory({ service, product, metastore, kms, expireAfterMs }: RotationOptions): SessionFactory {
  return new SessionFactory({
    service,
    product,
    metastore,
    kms,
    policy: {
      // Each partition comes once.
      cacheIntermediateKeys: false,
      revokeCheckIntervalMs: Number.POSITIVE_INFINITY,
      ...(expireAfterMs !== undefined && { expireAfterMs }),
    },
  })
}

/** Makes core take, and so make, the key that encrypts for a partition. */
async function encryptNothing(
  factory: SessionFactory,
  partition: string,
): Promise<{ readonly keyId: string; readonly created: number }> {
  const session = factory.getSession(partition)
  try {
    return (await session.encrypt(new Uint8Array(0))).key.parentKeyMeta
  } finally {
    session.close()
  }
}

/** The latest key that core would look at: one that is dated further ahead than clocks differ is left out. */
function latestUsable(metastore: Metastore, keyId: string): Promise<EnvelopeKeyRecord | null> {
  return metastore.loadLatest(keyId, { notAfter: Math.floor(Date.now() / 1_000) + CLOCK_SKEW_SECONDS })
}

/** Shows each intermediate key that is there before the rotation as if it were revoked. */
function asIfRevoked(metastore: Metastore): Metastore {
  const seen = new Map<string, number>()
  return shownAs(metastore, {
    latest(row) {
      if (isSystemKey(row)) return row
      const old = seen.get(row.keyId)
      // The second look of one rotation is at what another process has made meanwhile: that is new enough.
      if (old !== undefined && row.created > old) return row
      seen.set(row.keyId, row.created)
      return { ...row, revoked: true }
    },
    async store(record, call) {
      seen.delete(record.keyId)
      return metastore.store(record.keyId, record.created, record, call)
    },
  })
}

/** Shows the present system key as if it were revoked, and keeps no intermediate key: only a system key is made. */
function withoutIntermediateKeys(metastore: Metastore): Metastore {
  let old: number | undefined
  return shownAs(metastore, {
    latest(row) {
      if (!isSystemKey(row)) return null
      old ??= row.created
      return row.created > old ? row : { ...row, revoked: true }
    },
    store: async (record, call) => !isSystemKey(record) || metastore.store(record.keyId, record.created, record, call),
  })
}

interface Shown {
  latest(row: EnvelopeKeyRecord): EnvelopeKeyRecord | null
  store(record: EnvelopeKeyRecord, call: Parameters<Metastore['store']>[3]): Promise<boolean>
}

function shownAs(metastore: Metastore, { latest, store }: Shown): Metastore {
  const { regionSuffix, maxKeyId } = metastore
  return {
    ...(regionSuffix !== undefined && { regionSuffix }),
    ...(maxKeyId !== undefined && { maxKeyId }),
    load: (keyId, created, call) => metastore.load(keyId, created, call),
    async loadLatest(keyId, call) {
      const row = await metastore.loadLatest(keyId, call)
      return row === null ? null : latest(row)
    },
    store: (_keyId, _created, record, call) => store(record, call),
  }
}
