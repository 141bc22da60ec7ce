import {
  AsherahError,
  ClosedError,
  channels,
  checkNotAborted,
  InvalidInputError,
  type KeyManagementService,
  KmsError,
  openAes256Gcm,
  sealAes256Gcm,
  withDeadline,
} from '@asherah/core/backend'
import { parseEnvelope, type RegionalKek, serializeEnvelope } from './envelope.ts'
import { type AwsKmsOptions, checkOptions } from './options.ts'
import { createRegionalKey, type RegionalKey } from './regional-key.ts'

/** A {@link KeyManagementService} over AWS KMS. */
export interface AwsKms extends KeyManagementService {
  readonly closed: boolean
  /**
   * Which of the configured regions cannot decrypt a system key, because its envelope has no entry under a key that the
   * region has or had.
   *
   * @throws KmsError when `encryptedKey` is no envelope.
   */
  missingRegions(encryptedKey: Uint8Array): Promise<string[]>
  /** Destroys the clients that were made here; later calls throw `ClosedError`. Idempotent. */
  close(): void
  [Symbol.dispose](): void
}

const SYSTEM_KEY_BYTES = 32

/**
 * A KMS whose master keys are AWS KMS keys, one in each of several regions, or one alone.
 *
 * A system key is encrypted under a fresh KMS data key, and that data key under the key of every region, so that any one
 * region can decrypt. The encryption context of AWS KMS is not used: the wire format has none.
 *
 * @throws InvalidConfigError for an unknown or bad option.
 * @example
 * const kms = createAwsKms({
 *   regionMap: {
 *     'us-west-2': 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
 *     'eu-central-1': 'arn:aws:kms:eu-central-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321',
 *   },
 *   preferredRegion: 'us-west-2',
 * })
 */
export function createAwsKms(options: AwsKmsOptions): AwsKms {
  const settings = checkOptions(options)
  let made: Promise<readonly RegionalKey[]> | undefined
  let closed = false

  /** In order of preference. Made at the first call: one key alone may have to ask the SDK for its region. */
  const regionalKeys = (): Promise<readonly RegionalKey[]> => {
    made ??= Promise.all(settings.keys.map((key) => createRegionalKey(key, settings))).catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
  const close = (): void => {
    closed = true
    made
      ?.then((keys) => {
        for (const key of keys) key.close()
      })
      .catch(() => {})
  }
  const run = async <T>(signal: AbortSignal | undefined, work: Work<T>, discard?: (late: T) => void): Promise<T> => {
    if (closed) throw new ClosedError('the AWS KMS is closed')
    checkNotAborted(signal)
    const errors: unknown[] = []
    const whole = async (inner: AbortSignal) => work(await regionalKeys(), inner, errors)
    try {
      return await withDeadline(settings.timeoutMs, signal, whole, discard)
    } catch (cause) {
      checkNotAborted(signal)
      if (cause instanceof AsherahError) throw cause
      throw new KmsError(`AWS KMS: ${cause instanceof Error ? cause.message : 'failed'}`, {
        cause,
        errors: [...errors, cause],
      })
    }
  }

  return {
    get closed() {
      return closed
    },
    async encryptKey(key, call) {
      if (!(key instanceof Uint8Array) || key.byteLength !== SYSTEM_KEY_BYTES) {
        throw new InvalidInputError(`a key to encrypt must be ${SYSTEM_KEY_BYTES} bytes`)
      }
      return run(call?.signal, (keys, signal, errors) => encryptKey(key, keys, settings.minimum, signal, errors))
    },
    async decryptKey(encryptedKey, call) {
      const { encryptedKey: sealed, keks } = parseEnvelope(encryptedKey)
      return run(
        call?.signal,
        (keys, signal, errors) => decryptKey(sealed, keks, keys, signal, errors),
        (late) => late.fill(0),
      )
    },
    async missingRegions(encryptedKey) {
      const { keks } = parseEnvelope(encryptedKey)
      const missing = async (keys: readonly RegionalKey[]) => keys.filter((key) => !keks.some((kek) => key.isOwn(kek)))
      return (await run(undefined, missing)).map((key) => key.region)
    },
    close,
    [Symbol.dispose]: close,
  }
}

/** @param errors gets what failed on the way. */
type Work<T> = (keys: readonly RegionalKey[], signal: AbortSignal, errors: unknown[]) => Promise<T>

async function encryptKey(
  systemKey: Uint8Array,
  keys: readonly RegionalKey[],
  minimum: number,
  signal: AbortSignal,
  errors: unknown[],
): Promise<Uint8Array> {
  const { dataKey, kek, source } = await generateDataKey(keys, signal, errors)
  try {
    const encryptedKey = sealAes256Gcm(systemKey, dataKey)
    const others = keys.filter((key) => key !== source)
    const results = await Promise.allSettled(others.map((key) => key.encrypt(dataKey, signal)))
    const keks = [kek, ...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))]
    const failures: unknown[] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    errors.push(...failures)
    if (keks.length < minimum) {
      throw new KmsError(
        `AWS KMS: ${keks.length} of ${keys.length} regions encrypted the data key, and onPartialFailure asks for ${minimum}`,
        { errors },
      )
    }
    signal.throwIfAborted() // too late: nobody will write this envelope
    warnOfMissing(keys, keks, errors)
    return serializeEnvelope({ encryptedKey, keks })
  } finally {
    dataKey.fill(0)
  }
}

async function generateDataKey(
  keys: readonly RegionalKey[],
  signal: AbortSignal,
  errors: unknown[],
): Promise<{ readonly dataKey: Uint8Array; readonly kek: RegionalKek; readonly source: RegionalKey }> {
  for (const source of inOrder(keys)) {
    try {
      return { ...(await source.generateDataKey(signal)), source }
    } catch (error) {
      errors.push(error)
      signal.throwIfAborted()
    }
  }
  throw new KmsError(`AWS KMS: no region generated a data key${reasonsOf(errors)}`, { errors })
}

/** What each region said. The messages of a region's errors are ours: they hold names of errors, and no text of AWS. */
function reasonsOf(errors: readonly unknown[]): string {
  const said = errors.flatMap((error) => (error instanceof KmsError ? [error.message] : []))
  return said.length === 0 ? '' : `: ${[...new Set(said)].join('; ')}`
}

function warnOfMissing(keys: readonly RegionalKey[], keks: readonly RegionalKek[], errors: readonly unknown[]): void {
  const missing = keys.map((key) => key.region).filter((region) => !keks.some((kek) => kek.region === region))
  if (missing.length === 0) return
  channels.warning.publish({
    code: 'KMS_REGION_LEFT_OUT',
    message: `a new system key cannot be decrypted in ${missing.join(', ')}: the region failed when the key was made`,
    cause: new KmsError('AWS KMS: regions failed', { errors }),
  })
}

async function decryptKey(
  sealed: Uint8Array,
  keks: readonly RegionalKek[],
  keys: readonly RegionalKey[],
  signal: AbortSignal,
  errors: unknown[],
): Promise<Uint8Array> {
  for (const { key, kek } of candidates(keys, keks)) {
    try {
      const dataKey = await key.decrypt(kek, signal)
      try {
        return openAes256Gcm(sealed, dataKey)
      } catch (cause) {
        // Another region's KEK may hold the right data key; the tag decides.
        throw new KmsError(`${key.region}: the system key does not verify under the data key`, { cause })
      } finally {
        dataKey.fill(0)
      }
    } catch (error) {
      errors.push(error)
      signal.throwIfAborted()
    }
  }
  if (errors.length > 0)
    throw new KmsError(`AWS KMS: no region decrypted the system key${reasonsOf(errors)}`, { errors })
  const configured = keys.map((key) => key.region).join(', ')
  throw new KmsError(`AWS KMS: the system key was encrypted in none of the configured regions (${configured})`)
}

/**
 * Which key is tried with which KEK: each region with its own; then regions that the envelope lacks, where a replica of a
 * multi-region key can decrypt another region's KEK.
 */
function candidates(
  keys: readonly RegionalKey[],
  keks: readonly RegionalKek[],
): { readonly key: RegionalKey; readonly kek: RegionalKek }[] {
  const own = (key: RegionalKey) => keks.find((kek) => kek.region === key.region)
  const related = ({ multiRegionId }: RegionalKey) =>
    multiRegionId && keks.find((kek) => kek.arn?.endsWith(`:key/${multiRegionId}`))
  const ordered = inOrder(keys)
  return [
    ...ordered.map((key) => ({ key, kek: own(key) })),
    ...ordered.filter((key) => own(key) === undefined).map((key) => ({ key, kek: related(key) || undefined })),
  ].flatMap(({ key, kek }) => (kek === undefined ? [] : [{ key, kek }]))
}

/** The order of preference, but regions that have been failing last. */
function inOrder(keys: readonly RegionalKey[]): readonly RegionalKey[] {
  return [...keys.filter((key) => !key.breaker.open), ...keys.filter((key) => key.breaker.open)]
}
