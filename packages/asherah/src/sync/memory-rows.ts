import type { EnvelopeKeyRecord, Metastore } from '@asherah/core'
import { rowOf } from './key-source.ts'
import type { SyncWorker } from './sync-worker.ts'

/** The rows of `Metastore: memory`, which two threads have to share once a synchronous call needs the worker. */
export interface MemoryRows {
  wrap(metastore: Metastore): Metastore
  /** From now on the rows are the worker's. @returns those that were stored here. */
  moveTo(worker: SyncWorker, engine: number): readonly EnvelopeKeyRecord[]
}

/** Keeps what is stored until it moves: there is no way to read the metastore's rows in one tick. */
export function createMemoryRows(): MemoryRows {
  let stored: EnvelopeKeyRecord[] = []
  let home: { readonly worker: SyncWorker; readonly engine: number } | undefined
  return {
    wrap(local) {
      const { regionSuffix } = local
      return {
        ...(regionSuffix !== undefined && { regionSuffix }),
        async load(keyId, created, call) {
          if (home === undefined) return local.load(keyId, created, call)
          return rowOf(await home.worker.ask({ op: 'load', engine: home.engine, keyId, created }))
        },
        async loadLatest(keyId, call) {
          if (home === undefined) return local.loadLatest(keyId, call)
          return rowOf(
            await home.worker.ask({ op: 'loadLatest', engine: home.engine, keyId, notAfter: call?.notAfter }),
          )
        },
        async store(keyId, created, record, call) {
          if (home !== undefined) return (await home.worker.ask({ op: 'store', engine: home.engine, record })) === true
          stored.push(record)
          return local.store(keyId, created, record, call)
        },
      }
    },
    moveTo(worker, engine) {
      home = { worker, engine }
      const rows = stored
      stored = []
      return rows
    },
  }
}
