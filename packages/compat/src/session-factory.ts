import {
  SessionFactory as CoreSessionFactory,
  type DataRowRecordJson,
  InvalidConfigError,
  type JsonValue,
  type KeyManagementService,
  type Metastore,
  type Persistence,
  type SessionFactoryOptions,
  type TypedSession,
} from '@asherah/core'
import { InMemoryMetastoreImpl, StaticKeyManagementServiceImpl } from './backends.ts'
import { refuseSkipping } from './builder-steps.ts'
import { exceptionOf } from './exceptions.ts'
import { type Logger, type Metrics, observe, timed, timedKms, timedMetastore } from './observers.ts'
import { type CryptoPolicy, NeverExpiredCryptoPolicy } from './policies.ts'

/** Encrypts payloads `P` to records `D`, for one partition. */
export interface Session<P, D> extends Disposable {
  /** @throws AppEncryptionException, KmsException */
  encrypt(payload: P): Promise<D>
  /** @throws AppEncryptionException, KmsException, MetadataMissingException */
  decrypt(record: D): Promise<P>
  /** Loads a record and decrypts it; undefined: nothing there. */
  load(key: string, persistence: Pick<Persistence<D>, 'load'>): Promise<P | undefined>
  /** Encrypts and stores under a key that the persistence makes. @returns the key. */
  store(payload: P, persistence: Pick<Persistence<D>, 'store'>): Promise<string>
  /** Encrypts and stores under `key`. @returns the key. */
  store(key: string, payload: P, persistence: Pick<Persistence<D>, 'store'>): Promise<string>
  close(): void
}

/** First step of {@link SessionFactory.newBuilder}. */
export interface MetastoreStep {
  /** TEST ONLY. */
  withInMemoryMetastore(): CryptoPolicyStep
  withMetastore(metastore: Metastore): CryptoPolicyStep
}

/** Second step of {@link SessionFactory.newBuilder}. */
export interface CryptoPolicyStep {
  /** TEST ONLY. */
  withNeverExpiredCryptoPolicy(): KeyManagementServiceStep
  withCryptoPolicy(policy: CryptoPolicy): KeyManagementServiceStep
}

/** Third step of {@link SessionFactory.newBuilder}. */
export interface KeyManagementServiceStep {
  /** @param key 32 UTF-8 bytes. @throws InvalidConfigError */
  withStaticKeyManagementService(key: string): BuildStep
  withKeyManagementService(kms: KeyManagementService): BuildStep
}

/** Last step of {@link SessionFactory.newBuilder}. */
export interface BuildStep {
  withMetrics(metrics: Metrics): BuildStep
  /** Gets warnings and key events of this thread's factories until this one is closed. */
  withLogger(logger: Logger): BuildStep
  /**
   * The key suffixes of the other regions, whose records are read too. Default: those of no other region are.
   *
   * @throws InvalidConfigError for what is no list; what it holds is checked by `build`.
   */
  withRecoveryRegionSuffixes(suffixes: readonly string[]): BuildStep
  /** @throws InvalidConfigError */
  build(): SessionFactory
}

const KMS_STEPS = ['withKeyManagementService', 'withStaticKeyManagementService']
const LAST_STEPS = ['withMetrics', 'withLogger', 'withRecoveryRegionSuffixes', 'build']

interface Parts {
  readonly options: SessionFactoryOptions
  readonly metrics?: Metrics
  readonly logger?: Logger
}

/** Makes sessions, with the builder that C# and Java users know. */
export class SessionFactory implements AsyncDisposable {
  readonly #factory: CoreSessionFactory
  readonly #metrics: Metrics | undefined
  readonly #stopLogging: (() => void) | undefined

  private constructor({ options, metrics, logger }: Parts) {
    const { metastore, kms } = options
    this.#factory = new CoreSessionFactory(
      metrics === undefined
        ? options
        : { ...options, metastore: timedMetastore(metastore, metrics), kms: timedKms(kms, metrics) },
    )
    this.#metrics = metrics
    this.#stopLogging = logger && observe(logger)
  }

  /** Product first, then service: as in C# and Java. */
  static newBuilder(productId: string, serviceId: string): MetastoreStep {
    const withKms =
      (metastore: Metastore, policy: CryptoPolicy) =>
      (kms: KeyManagementService): BuildStep =>
        buildStep(
          { options: { product: productId, service: serviceId, metastore, policy: policy.options, kms } },
          (parts) => new SessionFactory(parts),
        )
    const policyStep = (metastore: Metastore): CryptoPolicyStep => {
      const withCryptoPolicy = (policy: CryptoPolicy): KeyManagementServiceStep => {
        const withKeyManagementService = withKms(metastore, policy)
        const step: KeyManagementServiceStep = {
          withKeyManagementService,
          withStaticKeyManagementService: (key) => withKeyManagementService(new StaticKeyManagementServiceImpl(key)),
        }
        return refuseSkipping(step, LAST_STEPS)
      }
      const step: CryptoPolicyStep = {
        withCryptoPolicy,
        withNeverExpiredCryptoPolicy: () => withCryptoPolicy(new NeverExpiredCryptoPolicy()),
      }
      return refuseSkipping(step, [...KMS_STEPS, ...LAST_STEPS])
    }
    const step: MetastoreStep = {
      withMetastore: policyStep,
      withInMemoryMetastore: () => policyStep(new InMemoryMetastoreImpl()),
    }
    return refuseSkipping(step, ['withCryptoPolicy', 'withNeverExpiredCryptoPolicy', ...KMS_STEPS, ...LAST_STEPS])
  }

  /** JSON values, to records as bytes of JSON text. @throws InvalidInputError, ClosedError */
  getSessionJson(partitionId: string): Session<JsonValue, Uint8Array> {
    return sessionOf(this.#factory.getSessionJson(partitionId), this.#metrics)
  }

  /** Bytes, to records as bytes of JSON text. @throws InvalidInputError, ClosedError */
  getSessionBytes(partitionId: string): Session<Uint8Array, Uint8Array> {
    return sessionOf(this.#factory.getSessionBytes(partitionId), this.#metrics)
  }

  /** JSON values, to records as JSON objects. @throws InvalidInputError, ClosedError */
  getSessionJsonAsJson(partitionId: string): Session<JsonValue, DataRowRecordJson> {
    return sessionOf(this.#factory.getSessionJsonAsJson(partitionId), this.#metrics)
  }

  /** Bytes, to records as JSON objects. @throws InvalidInputError, ClosedError */
  getSessionBytesAsJson(partitionId: string): Session<Uint8Array, DataRowRecordJson> {
    return sessionOf(this.#factory.getSessionBytesAsJson(partitionId), this.#metrics)
  }

  /** Waits for calls in flight, then wipes every key; idempotent. Metastore and KMS stay open: they are the caller's. */
  async close(): Promise<void> {
    this.#stopLogging?.()
    await this.#factory.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function buildStep(parts: Parts, make: (parts: Parts) => SessionFactory): BuildStep {
  return {
    withMetrics: (metrics) => buildStep({ ...parts, metrics }, make),
    withLogger: (logger) => buildStep({ ...parts, logger }, make),
    withRecoveryRegionSuffixes(suffixes) {
      if (!Array.isArray(suffixes)) throw new InvalidConfigError('withRecoveryRegionSuffixes takes a list of suffixes')
      return buildStep({ ...parts, options: { ...parts.options, recoveryRegionSuffixes: [...suffixes] } }, make)
    },
    build: () => make(parts),
  }
}

type StoreArguments<P, D> =
  | [payload: P, persistence: Pick<Persistence<D>, 'store'>]
  | [key: string, payload: P, persistence: Pick<Persistence<D>, 'store'>]

function sessionOf<P, D>(inner: TypedSession<P, D>, metrics: Metrics | undefined): Session<P, D> {
  const mapped = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call()
    } catch (error) {
      throw exceptionOf(error)
    }
  }
  const encrypting = <T>(call: () => Promise<T>): Promise<T> => mapped(() => timed(metrics, 'ael.drr.encrypt', call))
  const decrypting = <T>(call: () => Promise<T>): Promise<T> => mapped(() => timed(metrics, 'ael.drr.decrypt', call))
  return {
    encrypt: (payload) => encrypting(() => inner.encrypt(payload)),
    decrypt: (record) => decrypting(() => inner.decrypt(record)),
    load: (key, persistence) => decrypting(() => inner.load(key, persistence)),
    store: (...given: StoreArguments<P, D>) =>
      encrypting(() => (given.length === 2 ? inner.store(...given) : inner.store(...given))),
    close: () => inner.close(),
    [Symbol.dispose]: () => inner.close(),
  }
}
