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

/** A metastore with the canonical timers `ael.metastore.{sql|dynamodb|memory}.{load|loadlatest|store}`. */
export function timedMetastore(metastore: Metastore, { metastore: { kind } }: Plan): Metastore {
  const prefix = `ael.metastore.${SQL_KINDS.includes(kind) ? 'sql' : kind}`
  const { regionSuffix, maxKeyId } = metastore
  return {
    ...(regionSuffix !== undefined && { regionSuffix }),
    ...(maxKeyId !== undefined && { maxKeyId }),
    load: (keyId, created, call) => timed('load', `${prefix}.load`, () => metastore.load(keyId, created, call)),
    loadLatest: (keyId, call) => timed('load', `${prefix}.loadlatest`, () => metastore.loadLatest(keyId, call)),
    store: (keyId, created, record, call) =>
      timed('store', `${prefix}.store`, () => metastore.store(keyId, created, record, call)),
  }
}

/** A KMS with the canonical timers `ael.kms.{aws|…}.{encryptkey|decryptkey}`. */
export function timedKms(kms: KeyManagementService, { kms: { kind } }: Plan): KeyManagementService {
  const prefix = `ael.kms.${kind}`
  return {
    encryptKey: (key, call) => timed('kms', `${prefix}.encryptkey`, () => kms.encryptKey(key, call)),
    decryptKey: (blob, call) => timed('kms', `${prefix}.decryptkey`, () => kms.decryptKey(blob, call)),
  }
}
