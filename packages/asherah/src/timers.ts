import type { Plan } from '@asherah/config'
import type { KeyManagementService, Metastore } from '@asherah/core'
import { hooks } from './hooks.ts'

/** Metastores whose timers have the names of the SQL one. */
const SQL_KINDS: readonly string[] = ['mysql', 'postgres', 'mssql', 'oracle', 'sqlite']

/** Times a call for the metrics hook, if there is one. */
async function timed<T>(type: 'load' | 'store' | 'kms', name: string, call: () => Promise<T>): Promise<T> {
  if (!hooks.wantsMetrics) return call()
  const start = process.hrtime.bigint()
  try {
    return await call()
  } finally {
    hooks.metric({ type, name, durationNs: Number(process.hrtime.bigint() - start) })
  }
}

/** As {@link timed}, of a call that blocks. */
export function timedNow<T>(type: 'load' | 'kms', name: string, call: () => T): T {
  if (!hooks.wantsMetrics) return call()
  const start = process.hrtime.bigint()
  try {
    return call()
  } finally {
    hooks.metric({ type, name, durationNs: Number(process.hrtime.bigint() - start) })
  }
}

/** A plan's timers, by their canonical names. */
export type TimerNames = Readonly<Record<'load' | 'loadLatest' | 'store' | 'encryptKey' | 'decryptKey', string>>

/** The canonical names of a plan's timers. */
export function timerNames({ metastore, kms }: Plan): TimerNames {
  const rows = `ael.metastore.${SQL_KINDS.includes(metastore.kind) ? 'sql' : metastore.kind}`
  return {
    load: `${rows}.load`,
    loadLatest: `${rows}.loadlatest`,
    store: `${rows}.store`,
    encryptKey: `ael.kms.${kms.kind}.encryptkey`,
    decryptKey: `ael.kms.${kms.kind}.decryptkey`,
  }
}

/** A metastore with the canonical timers `ael.metastore.{sql|dynamodb|memory}.{load|loadlatest|store}`. */
export function timedMetastore(metastore: Metastore, plan: Plan): Metastore {
  const names = timerNames(plan)
  const { regionSuffix, maxKeyId } = metastore
  return {
    ...(regionSuffix !== undefined && { regionSuffix }),
    ...(maxKeyId !== undefined && { maxKeyId }),
    load: (keyId, created, call) => timed('load', names.load, () => metastore.load(keyId, created, call)),
    loadLatest: (keyId, call) => timed('load', names.loadLatest, () => metastore.loadLatest(keyId, call)),
    store: (keyId, created, record, call) =>
      timed('store', names.store, () => metastore.store(keyId, created, record, call)),
  }
}

/** A KMS with the canonical timers `ael.kms.{aws|…}.{encryptkey|decryptkey}`. */
export function timedKms(kms: KeyManagementService, plan: Plan): KeyManagementService {
  const names = timerNames(plan)
  return {
    encryptKey: (key, call) => timed('kms', names.encryptKey, () => kms.encryptKey(key, call)),
    decryptKey: (blob, call) => timed('kms', names.decryptKey, () => kms.decryptKey(blob, call)),
  }
}
