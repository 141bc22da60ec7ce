import type { Metastore } from '@asherah/core'

/** How many keys a run has made. */
export interface KeyCount {
  readonly system: number
  readonly intermediate: number
}

/** A metastore that counts the rows that it inserts. */
export interface CountingMetastore extends Metastore {
  readonly created: KeyCount
}

/** Counts what a session factory stores: a row without a parent is a system key. */
export function countingMetastore(metastore: Metastore): CountingMetastore {
  let system = 0
  let intermediate = 0
  return {
    ...(metastore.regionSuffix === undefined ? {} : { regionSuffix: metastore.regionSuffix }),
    ...(metastore.maxKeyId === undefined ? {} : { maxKeyId: metastore.maxKeyId }),
    get created() {
      return { system, intermediate }
    },
    load: (keyId, created, options) => metastore.load(keyId, created, options),
    loadLatest: (keyId, options) => metastore.loadLatest(keyId, options),
    async store(keyId, created, record, options) {
      const inserted = await metastore.store(keyId, created, record, options)
      if (inserted && record.parentKeyMeta === undefined) system++
      else if (inserted) intermediate++
      return inserted
    },
  }
}
