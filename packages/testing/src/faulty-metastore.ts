import { performance } from 'node:perf_hooks'
import {
  type Clock,
  checkKnownOptions,
  type EnvelopeKeyRecord,
  type KeyMeta,
  type Metastore,
  type MetastoreReport,
} from '@asherah/core/backend'
import { createMethodFaults, type MethodFaults, type MethodRunner } from './method-faults.ts'

/** Scripts what goes wrong in a {@link faultyMetastore}. */
export interface MetastoreFaults {
  readonly load: MethodFaults<EnvelopeKeyRecord | null>
  readonly loadLatest: MethodFaults<EnvelopeKeyRecord | null>
  readonly store: MethodFaults<boolean>
  /** Its `corrupt` and `loseAnswer` work on each row. */
  readonly list: MethodFaults<EnvelopeKeyRecord>
  readonly markRevoked: MethodFaults<boolean>
  readonly check: MethodFaults<MetastoreReport>
  /** Rows stored from now on are hidden from every read for `ms` of the clock, as by a lagging replica (D-053). 0 ends it. */
  lag(ms: number): void
  /** Takes every fault back, shows what is hidden, releases what is held, and counts from 0. */
  reset(): void
}

/** Options of {@link createMetastoreFaults}. */
export interface MetastoreFaultsOptions {
  /** Its monotonic time runs the lag; default the system's. */
  readonly clock?: Clock
}

interface MetastoreScript {
  readonly load: MethodRunner<EnvelopeKeyRecord | null>
  readonly loadLatest: MethodRunner<EnvelopeKeyRecord | null>
  readonly store: MethodRunner<boolean>
  readonly list: MethodRunner<EnvelopeKeyRecord>
  readonly markRevoked: MethodRunner<boolean>
  readonly check: MethodRunner<MetastoreReport>
  stored(key: KeyMeta): void
  isHidden(key: KeyMeta): boolean
}

const scripts = new WeakMap<MetastoreFaults, MetastoreScript>()

/**
 * Makes a script without faults, for {@link faultyMetastore}.
 *
 * @example
 * const faults = createMetastoreFaults()
 * const metastore = faultyMetastore(inner, faults)
 * faults.store.loseAnswer({ nth: 1 })
 */
export function createMetastoreFaults(options: MetastoreFaultsOptions = {}): MetastoreFaults {
  checkKnownOptions('createMetastoreFaults', options, ['clock'])
  const monotonicMs = (): number => options.clock?.monotonicMs() ?? performance.now()
  const methods = {
    load: createMethodFaults<EnvelopeKeyRecord | null>('load'),
    loadLatest: createMethodFaults<EnvelopeKeyRecord | null>('loadLatest'),
    store: createMethodFaults<boolean>('store'),
    list: createMethodFaults<EnvelopeKeyRecord>('list'),
    markRevoked: createMethodFaults<boolean>('markRevoked'),
    check: createMethodFaults<MetastoreReport>('check'),
  }
  let lagMs = 0
  const hiddenUntil = new Map<string, number>()
  const faults: MetastoreFaults = {
    ...methods,
    lag(ms) {
      lagMs = ms
      if (ms === 0) hiddenUntil.clear()
    },
    reset() {
      lagMs = 0
      hiddenUntil.clear()
      for (const method of Object.values(methods)) method.reset()
    },
  }
  scripts.set(faults, {
    ...methods,
    stored(key) {
      if (lagMs > 0) hiddenUntil.set(nameOf(key), monotonicMs() + lagMs)
    },
    isHidden: (key) => monotonicMs() < (hiddenUntil.get(nameOf(key)) ?? Number.NEGATIVE_INFINITY),
  })
  return faults
}

function nameOf(key: KeyMeta): string {
  return JSON.stringify([key.keyId, key.created])
}

/** The metastore, with the faults of a script. It has the optional methods that the metastore has; `close` has no faults. */
export function faultyMetastore(metastore: Metastore, faults: MetastoreFaults): Metastore {
  const script = scripts.get(faults)
  if (script === undefined) throw new TypeError('faults must come from createMetastoreFaults()')
  const { list, markRevoked, check, close, regionSuffix, maxKeyId } = metastore

  const visible = (record: EnvelopeKeyRecord | null): EnvelopeKeyRecord | null =>
    record === null || script.isHidden(record) ? null : record

  return {
    ...(regionSuffix === undefined ? {} : { regionSuffix }),
    ...(maxKeyId === undefined ? {} : { maxKeyId }),
    load: (keyId, created, call) =>
      script.load.run([keyId, created], call, async () => visible(await metastore.load(keyId, created, call))),
    loadLatest: (keyId, call) =>
      script.loadLatest.run([keyId, call?.notAfter], call, async () => {
        let record = await metastore.loadLatest(keyId, call)
        while (record !== null && script.isHidden(record)) {
          record = await metastore.loadLatest(keyId, { ...call, notAfter: record.created - 1 })
        }
        return record
      }),
    store: (keyId, created, record, call) =>
      script.store.run([keyId, created, record], call, async () => {
        const stored = await metastore.store(keyId, created, record, call)
        if (stored) script.stored({ keyId, created })
        return stored
      }),
    ...(list === undefined
      ? {}
      : {
          async *list(call) {
            const alter = await script.list.start([call?.after], call)
            for await (const record of list.call(metastore, call)) if (!script.isHidden(record)) yield alter(record)
          },
        }),
    ...(markRevoked === undefined
      ? {}
      : {
          markRevoked: (keyId, created, call) =>
            script.markRevoked.run([keyId, created], call, () => markRevoked.call(metastore, keyId, created, call)),
        }),
    ...(check === undefined
      ? {}
      : { check: (call) => script.check.run([call?.keyId], call, () => check.call(metastore, call)) }),
    ...(close === undefined ? {} : { close: () => close.call(metastore) }),
  } satisfies Metastore
}
