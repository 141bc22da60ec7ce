import { checkKnownOptions, type KeyMeta, type Metastore } from '@asherah/core/backend'
import { absenceCheck, type Check, registerChecks } from '../check.ts'
import { corruptionChecks } from './corruption-checks.ts'
import { idChecks } from './id-checks.ts'
import { optionalChecks } from './optional-checks.ts'
import { raceChecks, reopenChecks } from './race-checks.ts'
import { rowChecks } from './row-checks.ts'
import type { MetastoreCapability, MetastoreSubject } from './subject.ts'
import { timeChecks } from './time-checks.ts'

/** Options of {@link metastoreConformance}. */
export interface MetastoreConformanceOptions<M extends Metastore = Metastore> {
  /** For the title of the tests; default `a metastore`. */
  readonly name?: string
  /** Makes the metastore. Called once, and once more for `close`. Its store may hold other rows. */
  create(): M | Promise<M>
  /** Ends what was made: called once for each metastore, after the tests. */
  dispose?(metastore: M): void | Promise<void>
  /** Makes a second metastore over the same rows, as another process would. Leave it out only if there can be none. */
  reopen?(metastore: M): M | Promise<M>
  /**
   * Replaces the stored body of a row (`key_record`) by a text, behind the metastore's back. Leave it out only if bodies
   * are not text.
   */
  overwriteBody?(metastore: M, key: KeyMeta, text: string): void | Promise<void>
  /** The optional methods that the metastore has; the tests hold it to exactly these. Default none. */
  readonly offers?: readonly MetastoreCapability[]
  /** The greatest `created` that the store can hold, in Unix seconds; default the last second of the year 9999. */
  readonly maxCreated?: number
  /**
   * The store's unique key takes ids for equal that differ only in spaces at their end, as SQL Server does whatever the
   * collation: then `store` must throw where they collide. Default false.
   */
  readonly ignoresTrailingSpaces?: boolean
}

const CAPABILITIES: readonly MetastoreCapability[] = ['list', 'markRevoked', 'check', 'close']
const OPTIONS = [
  'name',
  'create',
  'dispose',
  'reopen',
  'overwriteBody',
  'offers',
  'maxCreated',
  'ignoresTrailingSpaces',
] as const
const LAST_SECOND_OF_9999 = 253_402_300_799

/** Which checks a call registers. */
export interface MetastoreCheckSelection {
  readonly offers: readonly MetastoreCapability[]
  readonly reopen: boolean
  readonly overwriteBody: boolean
}

/** The checks of one call, each a plain function. */
export function metastoreChecks(selection: MetastoreCheckSelection): readonly Check<MetastoreSubject>[] {
  return [
    ...rowChecks,
    ...idChecks,
    ...timeChecks,
    ...raceChecks,
    ...(selection.reopen ? reopenChecks : []),
    ...(selection.overwriteBody ? corruptionChecks : []),
    ...CAPABILITIES.flatMap((capability) =>
      selection.offers.includes(capability)
        ? optionalChecks[capability]
        : [absenceCheck<MetastoreSubject>(capability, ({ metastore }) => metastore[capability] !== undefined)],
    ),
  ]
}

/**
 * Registers the conformance tests of a metastore with vitest: the first test of every backend.
 *
 * @throws InvalidConfigError for an unknown option.
 * @example
 * metastoreConformance({ create: () => createMemoryMetastore(), offers: ['list', 'markRevoked', 'check', 'close'] })
 */
export function metastoreConformance<M extends Metastore>(options: MetastoreConformanceOptions<M>): void {
  checkKnownOptions('metastoreConformance', options, OPTIONS)
  const { name = 'a metastore', offers = [], maxCreated = LAST_SECOND_OF_9999, ignoresTrailingSpaces = false } = options
  const made: M[] = []
  const add = (metastore: M): M => {
    made.push(metastore)
    return metastore
  }
  const unseen = [
    ...(options.reopen === undefined ? ['rows are not looked at through a second metastore: no `reopen`'] : []),
    ...(options.overwriteBody === undefined ? ['no row is damaged: no `overwriteBody`'] : []),
  ]
  registerChecks<MetastoreSubject>({
    title: [`metastore conformance: ${name}`, ...unseen].join('; '),
    checks: metastoreChecks({
      offers,
      reopen: options.reopen !== undefined,
      overwriteBody: options.overwriteBody !== undefined,
    }),
    async setUp() {
      const metastore = add(await options.create())
      const { reopen, overwriteBody } = options
      return {
        metastore,
        maxCreated,
        ignoresTrailingSpaces,
        create: async () => add(await options.create()),
        reopen: reopen && (async () => add(await reopen.call(options, metastore))),
        overwriteBody: overwriteBody && (async (key, text) => overwriteBody.call(options, metastore, key, text)),
      }
    },
    async tearDown() {
      for (const metastore of made.toReversed()) await options.dispose?.(metastore)
    },
  })
}
