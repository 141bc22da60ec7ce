import { type EnvelopeKeyRecord, InvalidConfigError, type Metastore, MetastoreError } from '@asherah/core'
import { allKeys, isSystemKey, versionsOf } from './key-list.ts'
import { type KeyState, keyState } from './key-state.ts'

/** Which versions of a key. */
export type Versions = { readonly created: number } | 'latest' | 'all'

/** What a revocation would change, and whom it would reach. */
export interface RevocationPlan {
  readonly keyId: string
  readonly kind: 'system' | 'intermediate'
  /** Those to be marked, the oldest first; those that are revoked already are left out. */
  readonly versions: readonly { readonly created: number; readonly state: KeyState }[]
  /** Intermediate keys that stop encrypting: those under a system key, or the key itself. */
  readonly reached: {
    readonly total: number
    /** Of them, those that are neither expired nor revoked themselves. */
    readonly valid: number
    /** Some of their ids, the first ones. */
    readonly some: readonly string[]
  }
}

/** How many ids a plan names. */
const SHOWN = 10

/** What {@link planRevocation} takes. */
export interface RevocationOptions {
  readonly metastore: Metastore
  readonly keyId: string
  readonly versions: Versions
  /** Unix milliseconds. */
  readonly now: number
  readonly expireAfterMs: number
}

/** Looks at what a revocation would do; changes nothing. Undefined: there is no such key. @throws InvalidConfigError */
export async function planRevocation(options: RevocationOptions): Promise<RevocationPlan | undefined> {
  const { metastore, keyId, versions, now, expireAfterMs } = options
  if (metastore.markRevoked === undefined) throw new InvalidConfigError('this metastore cannot mark keys as revoked')
  const chosen = choose(await versionsOf(metastore, keyId), versions)
  const [first] = chosen
  if (first === undefined) return undefined
  const marked = chosen.filter(({ revoked }) => !revoked)
  const created = new Set(marked.map((row) => row.created))
  let total = 0
  let valid = 0
  const some: string[] = []
  const reach = (row: EnvelopeKeyRecord): void => {
    total += 1
    if (keyState(row, now, expireAfterMs) === 'valid') valid += 1
    if (some.length < SHOWN && !some.includes(row.keyId)) some.push(row.keyId)
  }
  if (!isSystemKey(first)) marked.forEach(reach)
  else if (marked.length > 0) {
    for await (const row of allKeys(metastore)) {
      const { parentKeyMeta: parent } = row
      if (parent?.keyId === keyId && created.has(parent.created)) reach(row)
    }
  }
  return {
    keyId,
    kind: isSystemKey(first) ? 'system' : 'intermediate',
    versions: marked.map((row) => ({ created: row.created, state: keyState(row, now, expireAfterMs) })),
    reached: { total, valid, some },
  }
}

/** Marks what a plan names. @throws MetastoreError when a row has vanished meanwhile. */
export async function revoke(metastore: Metastore, plan: RevocationPlan): Promise<void> {
  for (const { created } of plan.versions) {
    if ((await metastore.markRevoked?.(plan.keyId, created)) === true) continue
    throw new MetastoreError(`the key ${JSON.stringify(plan.keyId)} created ${created} is not there any more`)
  }
}

function choose(rows: readonly EnvelopeKeyRecord[], versions: Versions): readonly EnvelopeKeyRecord[] {
  if (versions === 'all') return rows
  if (versions === 'latest') return rows.slice(-1)
  return rows.filter(({ created }) => created === versions.created)
}
