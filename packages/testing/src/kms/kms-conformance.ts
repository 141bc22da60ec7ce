import { checkKnownOptions, type KeyManagementService } from '@asherah/core/backend'
import { registerChecks } from '../check.ts'
import { type KmsSubject, kmsChecks, kmsOtherChecks, kmsReopenChecks } from './kms-checks.ts'

/** Options of {@link kmsConformance}. */
export interface KmsConformanceOptions<K extends KeyManagementService = KeyManagementService> {
  /** For the title of the tests; default `a KMS`. */
  readonly name?: string
  /** Makes the KMS; called once. */
  create(): K | Promise<K>
  /** Ends what was made: called once for each KMS, after the tests. */
  dispose?(kms: K): void | Promise<void>
  /** Makes another client of the same master key. Leave it out only if there can be none. */
  reopen?(kms: K): K | Promise<K>
  /** Makes a client of another master key. Leave it out only if there can be none. */
  createOther?(): K | Promise<K>
}

const OPTIONS = ['name', 'create', 'dispose', 'reopen', 'createOther'] as const

/**
 * Registers the conformance tests of a key management service with vitest.
 *
 * @throws InvalidConfigError for an unknown option.
 * @example
 * kmsConformance({ create: () => createStaticKms({ masterKeyHex }) })
 */
export function kmsConformance<K extends KeyManagementService>(options: KmsConformanceOptions<K>): void {
  checkKnownOptions('kmsConformance', options, OPTIONS)
  const made: K[] = []
  const add = (kms: K): K => {
    made.push(kms)
    return kms
  }
  const { name = 'a KMS', reopen, createOther } = options
  const unseen = [
    ...(reopen === undefined ? ['no second client of the master key: no `reopen`'] : []),
    ...(createOther === undefined ? ['no client of another master key: no `createOther`'] : []),
  ]
  registerChecks<KmsSubject>({
    title: [`KMS conformance: ${name}`, ...unseen].join('; '),
    checks: [
      ...kmsChecks,
      ...(reopen === undefined ? [] : kmsReopenChecks),
      ...(createOther === undefined ? [] : kmsOtherChecks),
    ],
    async setUp() {
      const kms = add(await options.create())
      return {
        kms,
        reopen: reopen && (async () => add(await reopen.call(options, kms))),
        createOther: createOther && (async () => add(await createOther.call(options))),
      }
    },
    async tearDown() {
      for (const kms of made.toReversed()) await options.dispose?.(kms)
    },
  })
}
