import { type EnvelopeKeyRecord, InvalidConfigError, type KeyMeta, type Metastore } from '@asherah/core'
import { describeKey, type KeyInfo, type KeyState, keyState } from './key-state.ts'

/** What {@link listKeys} takes. */
export interface ListKeysOptions {
  readonly metastore: Metastore
  /** Only the versions of this key, the oldest first. */
  readonly keyId?: string
  /** Unix milliseconds. */
  readonly now: number
  readonly expireAfterMs: number
}

/** Describes the keys of a metastore one by one, by id and age. Of system keys the state and the uses are kept in memory, of no others. */
export async function* listKeys(options: ListKeysOptions): AsyncGenerator<KeyInfo, void, void> {
  const { metastore, keyId, now, expireAfterMs } = options
  const parents = new Map<string, KeyState | 'missing'>()
  const stateOf = async (parent: KeyMeta): Promise<KeyState | 'missing'> => {
    const name = nameOf(parent.keyId, parent.created)
    let state = parents.get(name)
    if (state === undefined) {
      const row = await metastore.load(parent.keyId, parent.created)
      state = row === null ? 'missing' : keyState(row, now, expireAfterMs)
      parents.set(name, state)
    }
    return state
  }
  const versions = keyId === undefined ? undefined : await versionsOf(metastore, keyId)
  // A list goes by id: the intermediate keys (_IK_…) come before the system keys (_SK_…) that they use.
  const uses = new Map<string, number>()
  if (versions?.some(isSystemKey) === true) await countUses(uses, allKeys(metastore))
  for await (const record of versions ?? allKeys(metastore)) {
    const { parentKeyMeta: parent } = record
    if (versions === undefined) await countUses(uses, [record])
    const parentState = parent === undefined ? 'missing' : await stateOf(parent)
    yield describeKey(record, {
      now,
      expireAfterMs,
      parentState: () => parentState,
      uses: isSystemKey(record) ? (uses.get(nameOf(record.keyId, record.created)) ?? 0) : null,
    })
  }
}

/** Every version of one key, the oldest first: a look-up for each, since a list would begin at the first key of all. */
export async function versionsOf(metastore: Metastore, keyId: string): Promise<EnvelopeKeyRecord[]> {
  const versions: EnvelopeKeyRecord[] = []
  let row = await metastore.loadLatest(keyId)
  while (row !== null) {
    versions.push(row)
    row = row.created > 1 ? await metastore.loadLatest(keyId, { notAfter: row.created - 1 }) : null
  }
  return versions.reverse()
}

/** Every row, by id and age. @throws InvalidConfigError when the metastore cannot list. */
export function allKeys(metastore: Metastore): AsyncIterable<EnvelopeKeyRecord> {
  if (metastore.list === undefined) throw new InvalidConfigError('this metastore cannot list its keys')
  return metastore.list()
}

/** A key that no other key of the metastore wraps. */
export function isSystemKey(record: EnvelopeKeyRecord): boolean {
  return record.parentKeyMeta === undefined
}

async function countUses(
  uses: Map<string, number>,
  records: AsyncIterable<EnvelopeKeyRecord> | Iterable<EnvelopeKeyRecord>,
): Promise<void> {
  for await (const { parentKeyMeta: parent } of records) {
    if (parent === undefined) continue
    const name = nameOf(parent.keyId, parent.created)
    uses.set(name, (uses.get(name) ?? 0) + 1)
  }
}

function nameOf(keyId: string, created: number): string {
  return `${created}:${keyId}`
}
