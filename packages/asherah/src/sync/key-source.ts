import type { Backends, Plan } from '@asherah/config'
import type { EnvelopeKeyRecord } from '@asherah/core'
import { type BlockingKeySource, offHeapCopy } from '@asherah/core/backend'
import { timedNow, timerNames } from '../timers.ts'
import type { Answer, Opened } from './messages.ts'
import type { SyncWorker } from './sync-worker.ts'

const KEY_BYTES = 32

/** Has the worker read rows and open system keys, while this thread is blocked. */
export function createKeySource(engine: number, opened: () => SyncWorker, plan: Plan): BlockingKeySource {
  const names = timerNames(plan)
  return {
    load: (keyId, created) =>
      timedNow('load', names.load, () => rowOf(opened().call({ op: 'load', engine, keyId, created }))),
    loadLatest: (keyId, notAfter) =>
      timedNow('load', names.loadLatest, () => rowOf(opened().call({ op: 'loadLatest', engine, keyId, notAfter }))),
    decryptKey(row) {
      const output = new SharedArrayBuffer(KEY_BYTES)
      const shared = new Uint8Array(output)
      try {
        timedNow('kms', names.decryptKey, () => opened().call({ op: 'decryptKey', engine, row, output }))
        return offHeapCopy(shared)
      } finally {
        shared.fill(0)
      }
    },
  }
}

/** Backends that are still being loaded, as backends. */
export function lazyBackends(loading: Promise<Backends>, names: Opened): Backends {
  return {
    metastore: {
      ...names,
      load: async (keyId, created, call) => (await loading).metastore.load(keyId, created, call),
      loadLatest: async (keyId, call) => (await loading).metastore.loadLatest(keyId, call),
      store: async (keyId, created, record, call) => (await loading).metastore.store(keyId, created, record, call),
    },
    kms: {
      encryptKey: async (key, call) => (await loading).kms.encryptKey(key, call),
      decryptKey: async (blob, call) => (await loading).kms.decryptKey(blob, call),
    },
    close: () =>
      loading.then(
        (backends) => backends.close(),
        () => undefined, // nothing was made
      ),
  }
}

/** A row as the worker sent it; core checks it as any row. */
export function rowOf(answer: Answer): EnvelopeKeyRecord | null {
  return typeof answer === 'object' && answer !== null && 'encryptedKey' in answer ? answer : null
}

/** What the worker says of its metastore. */
export function openedOf(answer: Answer): Opened {
  return typeof answer === 'object' && answer !== null && !('encryptedKey' in answer) ? answer : {}
}
