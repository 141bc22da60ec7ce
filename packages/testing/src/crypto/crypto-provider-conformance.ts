import { type CryptoProvider, checkKnownOptions } from '@asherah/core/backend'
import { absenceCheck, type Check, registerChecks } from '../check.ts'
import type { CryptoCapability, CryptoSubject } from './crypto-subject.ts'
import { fastFormChecks } from './fast-form-checks.ts'
import { keyChecks } from './key-checks.ts'
import { rowCryptoChecks } from './row-checks.ts'

/** Options of {@link cryptoProviderConformance}. */
export interface CryptoProviderConformanceOptions {
  /** For the title of the tests; default `a crypto provider`. */
  readonly name?: string
  /** Makes a provider; called a few times. The tests close what they made. */
  create(): CryptoProvider | Promise<CryptoProvider>
  /** The fast forms that the provider has; the tests hold it to exactly these. Default none. */
  readonly offers?: readonly CryptoCapability[]
}

const CAPABILITIES: readonly CryptoCapability[] = [
  'encryptRowJson',
  'decryptRowJson',
  'encryptRowJsonAsync',
  'decryptRowAsync',
  'encryptRowsPacked',
  'decryptRowsPacked',
]

/** The checks of one call. */
export function selectCryptoChecks(offers: readonly CryptoCapability[]): readonly Check<CryptoSubject>[] {
  return [
    ...keyChecks,
    ...rowCryptoChecks,
    ...CAPABILITIES.flatMap((capability) =>
      offers.includes(capability)
        ? fastFormChecks[capability]
        : [absenceCheck<CryptoSubject>(capability, ({ crypto }) => crypto[capability] !== undefined)],
    ),
  ]
}

/**
 * Registers the conformance tests of a crypto provider with vitest.
 *
 * @throws InvalidConfigError for an unknown option.
 * @example
 * cryptoProviderConformance({ create: () => createNodeCrypto({ secrets: createHeapSecrets() }) })
 */
export function cryptoProviderConformance(options: CryptoProviderConformanceOptions): void {
  checkKnownOptions('cryptoProviderConformance', options, ['name', 'create', 'offers'])
  const { name = 'a crypto provider', offers = [] } = options
  const made: CryptoProvider[] = []
  const create = async (): Promise<CryptoProvider> => {
    const crypto = await options.create()
    made.push(crypto)
    return crypto
  }
  registerChecks<CryptoSubject>({
    title: `crypto provider conformance: ${name}`,
    checks: selectCryptoChecks(offers),
    setUp: async () => ({ crypto: await create(), create }),
    tearDown() {
      for (const crypto of made) crypto.close()
    },
  })
}
