import type { EnvelopeKeyRecord, KeyMeta } from '@asherah/core'
import type { SqliteMetastore } from '@asherah/metastore-sqlite'
import { describeKey, type KeyInfo, type KeyState, keyState } from './key-state.ts'

/** What {@link listKeys} takes. */
export interface ListKeysOptions {
  readonly metastore: Pick<SqliteMetastore, 'list' | 'load'>
  /** Only the versions of this key. */
  readonly keyId?: string
  /** Unix milliseconds. */
  readonly now: number
  readonly expireAfterMs: number
}

/** Describes the keys of a metastore one by one, by id and age. Only the few system keys' states are kept in memory. */
export async function* listKeys(options: ListKeysOptions): AsyncGenerator<KeyInfo, void, void> {
  const { metastore, keyId, now, expireAfterMs } = options
  const parents = new Map<string, KeyState | 'missing'>()
  const stateOf = async (parent: KeyMeta): Promise<KeyState | 'missing'> => {
    const name = `${parent.created}:${parent.keyId}`
    let state = parents.get(name)
    if (state === undefined) {
      const row = await metastore.load(parent.keyId, parent.created)
      state = row === null ? 'missing' : keyState(row, now, expireAfterMs)
      parents.set(name, state)
    }
    return state
  }
  for await (const record of rows(metastore, keyId)) {
    const { parentKeyMeta: parent } = record
    const parentState = parent === undefined ? 'missing' : await stateOf(parent)
    yield describeKey(record, { now, expireAfterMs, parentState: () => parentState })
  }
}

async function* rows(
  metastore: Pick<SqliteMetastore, 'list' | 'load'>,
  keyId: string | undefined,
): AsyncGenerator<EnvelopeKeyRecord, void, void> {
  if (keyId === undefined) {
    yield* metastore.list()
    return
  }
  // The listing goes on after a key: the first version of an id may be created at 1, so that one is looked up.
  const first = await metastore.load(keyId, 1)
  if (first !== null) yield first
  for await (const record of metastore.list({ after: { keyId, created: 1 } })) {
    if (record.keyId !== keyId) return
    yield record
  }
}
