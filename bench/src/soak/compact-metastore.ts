import type { EnvelopeKeyRecord, Metastore } from '@asherah/core'

/** A metastore whose memory does not grow while partitions come: what grows is then the library's. */
export interface CompactMetastore extends Metastore {
  /** Intermediate keys that are stored. */
  readonly stored: number
}

const WRAPPED_KEY_BYTES = 60
const PREFIX = '_IK_p'

/**
 * Keeps one intermediate key for each of the partitions `p0` to `p{count - 1}` in arrays that are there from the start, and
 * any number of system keys. Each call answers in a later turn of the event loop, as a database does.
 */
export function createCompactMetastore(count: number): CompactMetastore {
  const wrapped = new Uint8Array(count * WRAPPED_KEY_BYTES).fill(1) // written to, so that the memory is really there
  const created = new Float64Array(count).fill(0)
  const parents = new Float64Array(count).fill(0)
  const systemKeys = new Map<number, EnvelopeKeyRecord>()
  let parentId = ''
  let stored = 0

  /** Undefined: not an intermediate key. */
  const rankOf = (keyId: string): number | undefined => {
    if (!keyId.startsWith(PREFIX)) return undefined
    const rank = Number.parseInt(keyId.slice(PREFIX.length), 10)
    if (!(rank >= 0 && rank < count)) throw new RangeError(`the soak has no partition of ${keyId}`)
    return rank
  }
  const rowOf = (rank: number, keyId: string): EnvelopeKeyRecord => ({
    keyId,
    created: created[rank] ?? 0,
    encryptedKey: wrapped.slice(rank * WRAPPED_KEY_BYTES, (rank + 1) * WRAPPED_KEY_BYTES),
    revoked: false,
    parentKeyMeta: { keyId: parentId, created: parents[rank] ?? 0 },
  })

  return {
    get stored() {
      return stored
    },
    async load(keyId, at) {
      await turn()
      const rank = rankOf(keyId)
      if (rank === undefined) return systemKeys.get(at) ?? null
      return created[rank] === at ? rowOf(rank, keyId) : null
    },
    async loadLatest(keyId) {
      await turn()
      const rank = rankOf(keyId)
      if (rank === undefined) return [...systemKeys.values()].at(-1) ?? null
      return created[rank] === 0 ? null : rowOf(rank, keyId)
    },
    async store(keyId, at, record) {
      await turn()
      const rank = rankOf(keyId)
      if (rank === undefined) {
        if (systemKeys.has(at)) return false
        systemKeys.set(at, { ...record, encryptedKey: new Uint8Array(record.encryptedKey) })
        return true
      }
      const { parentKeyMeta } = record
      if (parentKeyMeta === undefined) throw new TypeError('an intermediate key has a parent')
      if (created[rank] !== 0) return false
      parentId = parentKeyMeta.keyId
      parents[rank] = parentKeyMeta.created
      wrapped.set(record.encryptedKey, rank * WRAPPED_KEY_BYTES)
      created[rank] = at
      stored += 1
      return true
    },
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
