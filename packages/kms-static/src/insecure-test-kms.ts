import {
  channels,
  checkKnownOptions,
  InvalidConfigError,
  publicTestKey,
  type SecretFactory,
} from '@asherah/core/backend'
import { checkSecrets } from './options.ts'
import { type StaticKms, staticKms } from './static-kms.ts'

/** Options of {@link createInsecureTestKms}. */
export interface InsecureTestKmsOptions {
  /** Where the key is kept; default core's `createHeapSecrets()`. */
  readonly secrets?: SecretFactory
  /** Without it, a process whose `NODE_ENV` is `production` is refused (default false). */
  readonly allowInProduction?: boolean
}

/**
 * A KMS under the public test key of every Asherah implementation: whoever has the data has the plaintext. For tests.
 *
 * Each call publishes `INSECURE_TEST_KMS` on the channel `asherah:warning`.
 *
 * @throws InvalidConfigError in production (D-046), unless `allowInProduction` is true.
 */
export function createInsecureTestKms(options: InsecureTestKmsOptions = {}): StaticKms {
  checkKnownOptions('createInsecureTestKms', options, ['secrets', 'allowInProduction'])
  checkSecrets(options.secrets)
  if (process.env.NODE_ENV === 'production' && options.allowInProduction !== true) {
    throw new InvalidConfigError('createInsecureTestKms() is refused while NODE_ENV is production: its key is public')
  }
  channels.warning.publish({
    code: 'INSECURE_TEST_KMS',
    message: 'a KMS with the public test key is in use: what it protects is readable by anyone',
  })
  return staticKms(publicTestKey(), options.secrets)
}
