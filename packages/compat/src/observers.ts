import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { redactText } from '@asherah/config'
import { channels, type KeyManagementService, type Metastore } from '@asherah/core'
import { metastoreKind } from './backends.ts'

/** Takes log lines; `console` is one. */
export interface Logger {
  info(message: string): void
  warn(message: string): void
}

/** Takes the time of one call, under its canonical name such as `ael.drr.encrypt`. */
export type Metrics = (name: string, durationMs: number) => void

/** Sends warnings and key events to a logger until the function that it gives is called. */
export function observe(logger: Logger): () => void {
  const warn = (message: unknown): void => logger.warn(textOf(message, ['code', 'message']))
  const info = (message: unknown): void => logger.info(`key ${textOf(message, ['event', 'keyId', 'created'])}`)
  subscribe(channels.warning.name, warn)
  subscribe(channels.key.name, info)
  return () => {
    unsubscribe(channels.warning.name, warn)
    unsubscribe(channels.key.name, info)
  }
}

function textOf(message: unknown, names: readonly string[]): string {
  return redactText(names.map((name) => String(Reflect.get(Object(message), name))).join(' '))
}

/** Times a call, if somebody wants it. */
export async function timed<T>(metrics: Metrics | undefined, name: string, call: () => Promise<T>): Promise<T> {
  if (metrics === undefined) return call()
  const start = performance.now()
  try {
    return await call()
  } finally {
    metrics(name, performance.now() - start)
  }
}

/** A metastore whose calls are timed as `ael.metastore.{ado|dynamodb|memory|custom}.{load|loadlatest|store}`. */
export function timedMetastore(inner: Metastore, metrics: Metrics): Metastore {
  const prefix = `ael.metastore.${metastoreKind(inner)}`
  const { regionSuffix, maxKeyId } = inner
  return {
    ...(regionSuffix !== undefined && { regionSuffix }),
    ...(maxKeyId !== undefined && { maxKeyId }),
    load: (keyId, created, call) => timed(metrics, `${prefix}.load`, () => inner.load(keyId, created, call)),
    loadLatest: (keyId, call) => timed(metrics, `${prefix}.loadlatest`, () => inner.loadLatest(keyId, call)),
    store: (keyId, created, record, call) =>
      timed(metrics, `${prefix}.store`, () => inner.store(keyId, created, record, call)),
  }
}

/** A KMS whose calls are timed as `ael.kms.encryptkey` and `ael.kms.decryptkey`. */
export function timedKms(inner: KeyManagementService, metrics: Metrics): KeyManagementService {
  return {
    encryptKey: (key, call) => timed(metrics, 'ael.kms.encryptkey', () => inner.encryptKey(key, call)),
    decryptKey: (blob, call) => timed(metrics, 'ael.kms.decryptkey', () => inner.decryptKey(blob, call)),
  }
}
