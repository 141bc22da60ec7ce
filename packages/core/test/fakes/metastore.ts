import type { EnvelopeKeyRecord, KeyMeta, Metastore } from '../../src/index.ts'

/** One call of a fake metastore, as its hooks and its log see it. */
export interface MetastoreCall {
  readonly method: 'load' | 'loadLatest' | 'store'
  readonly keyId: string
  /** Of `load` and `store`. */
  readonly created?: number
  /** Of `loadLatest`. */
  readonly notAfter?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The rows of one store: several metastores (processes, regions) can share it. */
export interface FakeRows {
  all(): EnvelopeKeyRecord[]
  get(keyId: string, created: number): EnvelopeKeyRecord | undefined
  /** Newest last. */
  of(keyId: string): EnvelopeKeyRecord[]
  /** The ids that begin so, e.g. `_SK_`, once for each row. */
  startingWith(prefix: string): EnvelopeKeyRecord[]
  /** Inserts or overwrites, as no metastore would. */
  put(row: EnvelopeKeyRecord): void
  /** Changes fields of a row that is there; its id and `created` stay. */
  edit(key: KeyMeta, change: Partial<Omit<EnvelopeKeyRecord, 'keyId' | 'created'>>): void
  /** Removes the parent's name from a row. */
  orphan(key: KeyMeta): void
  revoke(key: KeyMeta): void
  remove(key: KeyMeta): void
}

export function createFakeRows(): FakeRows {
  const rows = new Map<string, Map<number, EnvelopeKeyRecord>>()
  const find = ({ keyId, created }: KeyMeta): EnvelopeKeyRecord => {
    const row = rows.get(keyId)?.get(created)
    if (row === undefined) throw new Error(`the test expects a row ${keyId} ${created}`)
    return row
  }
  const put = (row: EnvelopeKeyRecord): void => {
    const versions = rows.get(row.keyId) ?? new Map<number, EnvelopeKeyRecord>()
    rows.set(row.keyId, versions)
    versions.set(row.created, copyRow(row))
  }
  const of = (keyId: string): EnvelopeKeyRecord[] =>
    [...(rows.get(keyId)?.values() ?? [])].map(copyRow).sort((a, b) => a.created - b.created)
  const all = (): EnvelopeKeyRecord[] => [...rows.keys()].flatMap(of)
  return {
    all,
    of,
    put,
    get(keyId, created) {
      const row = rows.get(keyId)?.get(created)
      return row && copyRow(row)
    },
    startingWith: (prefix) => all().filter((row) => row.keyId.startsWith(prefix)),
    edit: (key, change) => put({ ...find(key), ...change }),
    orphan(key) {
      const { parentKeyMeta: _, ...rest } = find(key)
      put(rest)
    },
    revoke: (key) => put({ ...find(key), revoked: true }),
    remove(key) {
      find(key)
      rows.get(key.keyId)?.delete(key.created)
    },
  }
}

/** A memory metastore with hooks for faults and a log of calls. */
export interface FakeMetastore extends Metastore {
  readonly rows: FakeRows
  readonly calls: MetastoreCall[]
  /** Awaited before a call reads or writes: throw to fail it, wait to delay it. */
  before: ((call: MetastoreCall) => void | Promise<void>) | undefined
  /** Awaited after a call has read or written, before it answers: throw to lose the answer. */
  after: ((call: MetastoreCall) => void | Promise<void>) | undefined
  /** Answers `loadLatest` as if `notAfter` had not been given. */
  ignoresNotAfter: boolean
  /** How many calls of a method there were, of all ids or of those that begin so. */
  count(method?: MetastoreCall['method'], prefix?: string): number
  /** Empties the log. */
  forget(): void
}

export function createFakeMetastore(
  options: { rows?: FakeRows; regionSuffix?: string; maxKeyId?: NonNullable<Metastore['maxKeyId']> } = {},
): FakeMetastore {
  const { rows = createFakeRows(), regionSuffix, maxKeyId } = options
  const store: FakeMetastore = {
    ...(regionSuffix !== undefined && { regionSuffix }),
    ...(maxKeyId !== undefined && { maxKeyId }),
    rows,
    calls: [],
    before: undefined,
    after: undefined,
    ignoresNotAfter: false,
    count: (method, prefix = '') =>
      store.calls.filter((call) => (method === undefined || call.method === method) && call.keyId.startsWith(prefix))
        .length,
    forget() {
      store.calls.length = 0
    },
    load: (keyId, created, call) =>
      logged({ method: 'load', keyId, created, signal: call?.signal }, () => rows.get(keyId, created) ?? null),
    loadLatest: (keyId, call) =>
      logged({ method: 'loadLatest', keyId, notAfter: call?.notAfter, signal: call?.signal }, () => {
        const limit = store.ignoresNotAfter ? Number.POSITIVE_INFINITY : (call?.notAfter ?? Number.POSITIVE_INFINITY)
        return (
          rows
            .of(keyId)
            .filter((row) => row.created <= limit)
            .at(-1) ?? null
        )
      }),
    store: (keyId, created, record, call) =>
      logged({ method: 'store', keyId, created, signal: call?.signal }, () => {
        if (rows.get(keyId, created) !== undefined) return false
        rows.put(record)
        return true
      }),
  }
  const logged = async <T>(call: MetastoreCall, work: () => T): Promise<T> => {
    store.calls.push(call)
    await store.before?.(call)
    const result = work()
    await store.after?.(call)
    return result
  }
  return store
}

function copyRow(row: EnvelopeKeyRecord): EnvelopeKeyRecord {
  return {
    ...row,
    encryptedKey: new Uint8Array(row.encryptedKey),
    ...(row.parentKeyMeta && { parentKeyMeta: { ...row.parentKeyMeta } }),
  }
}
