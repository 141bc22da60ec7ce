import { checkKnownOptions, type SecretFactory } from '@asherah/core/backend'
import { absenceCheck, type Check, registerChecks } from '../check.ts'
import { keyObjectChecks, type SecretCapability, type SecretSubject, secretFactoryChecks } from './secret-checks.ts'

/** Options of {@link secretFactoryConformance}. */
export interface SecretFactoryConformanceOptions {
  /** For the title of the tests; default `a secret factory`. */
  readonly name?: string
  /** Makes a factory; called a few times. The tests close what they made. */
  create(): SecretFactory | Promise<SecretFactory>
  /** The optional methods that its secrets have; the tests hold them to exactly these. Default none. */
  readonly offers?: readonly SecretCapability[]
}

/** The checks of one call. */
export function selectSecretChecks(offers: readonly SecretCapability[]): readonly Check<SecretSubject>[] {
  const hasKeyObject = ({ factory }: SecretSubject): boolean => {
    const secret = factory.createRandom(32)
    secret.close()
    return secret.keyObject !== undefined
  }
  return [
    ...secretFactoryChecks,
    ...(offers.includes('keyObject') ? keyObjectChecks : [absenceCheck('keyObject', hasKeyObject)]),
  ]
}

/**
 * Registers the conformance tests of a secret factory with vitest.
 *
 * @throws InvalidConfigError for an unknown option.
 * @example
 * secretFactoryConformance({ name: 'heap', create: () => createHeapSecrets(), offers: ['keyObject'] })
 */
export function secretFactoryConformance(options: SecretFactoryConformanceOptions): void {
  checkKnownOptions('secretFactoryConformance', options, ['name', 'create', 'offers'])
  const { name = 'a secret factory', offers = [] } = options
  registerChecks<SecretSubject>({
    title: `secret factory conformance: ${name}`,
    checks: selectSecretChecks(offers),
    setUp: async () => ({ factory: await options.create(), create: async () => options.create() }),
    tearDown: ({ factory }) => factory.close(),
  })
}
