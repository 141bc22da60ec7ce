import { basicExpiringPolicy, type CryptoPolicyOptions, createCryptoPolicy, neverExpiringPolicy } from '@asherah/core'
import { refuseSkipping } from './builder-steps.ts'

/** A crypto policy of this package: core's options, behind the name that C# and Java users know. */
export interface CryptoPolicy {
  /** What core is given. */
  readonly options: CryptoPolicyOptions
}

/** `INLINE`: the encrypt that finds a key expired makes the new one. `QUEUED`: one rotation runs behind. */
export type RotationStrategy = 'INLINE' | 'QUEUED'

const LAST_STEPS = [
  'withRotationStrategy',
  'withCanCacheSystemKeys',
  'withCanCacheIntermediateKeys',
  'withCanCacheSessions',
  'withSessionCacheMaxSize',
  'withSessionCacheExpireMinutes',
  'withSessionCacheExpireMillis',
  'withNotifyExpiredSystemKeyOnRead',
  'withNotifyExpiredIntermediateKeyOnRead',
  'build',
]

/** TEST ONLY: keys never expire and are never checked again. */
export class NeverExpiredCryptoPolicy implements CryptoPolicy {
  readonly options: CryptoPolicyOptions = neverExpiringPolicy()
}

/** First step of {@link BasicExpiringCryptoPolicy.newBuilder}. */
export interface KeyExpirationDaysStep {
  /** In days, > 0. */
  withKeyExpirationDays(days: number): RevokeCheckMinutesStep
}

/** Second step of {@link BasicExpiringCryptoPolicy.newBuilder}. */
export interface RevokeCheckMinutesStep {
  /** In minutes, ≥ 0. */
  withRevokeCheckMinutes(minutes: number): CryptoPolicyBuildStep
}

/** What may follow the two steps, in any order. */
export interface CryptoPolicyBuildStep {
  /** Default `INLINE`. */
  withRotationStrategy(strategy: RotationStrategy): CryptoPolicyBuildStep
  /** Default true. */
  withCanCacheSystemKeys(cache: boolean): CryptoPolicyBuildStep
  /** Default true. */
  withCanCacheIntermediateKeys(cache: boolean): CryptoPolicyBuildStep
  /** Default false. */
  withCanCacheSessions(cache: boolean): CryptoPolicyBuildStep
  /** Default 1,000. */
  withSessionCacheMaxSize(sessions: number): CryptoPolicyBuildStep
  /** Default 120. As Java. */
  withSessionCacheExpireMinutes(minutes: number): CryptoPolicyBuildStep
  /** Default 7,200,000. As C#. */
  withSessionCacheExpireMillis(milliseconds: number): CryptoPolicyBuildStep
  /** Default false. Either of the two notifications turns both on. */
  withNotifyExpiredSystemKeyOnRead(notify: boolean): CryptoPolicyBuildStep
  /** Default false. Either of the two notifications turns both on. */
  withNotifyExpiredIntermediateKeyOnRead(notify: boolean): CryptoPolicyBuildStep
  /** @throws InvalidConfigError for a value out of its range. */
  build(): BasicExpiringCryptoPolicy
}

/** Keys expire after days, and are checked for revocation after minutes. */
export class BasicExpiringCryptoPolicy implements CryptoPolicy {
  readonly options: CryptoPolicyOptions

  private constructor(options: CryptoPolicyOptions) {
    createCryptoPolicy(options)
    this.options = options
  }

  static newBuilder(): KeyExpirationDaysStep {
    const withKeyExpirationDays = (keyExpirationDays: number): RevokeCheckMinutesStep => {
      const step: RevokeCheckMinutesStep = {
        withRevokeCheckMinutes: (revokeCheckMinutes) =>
          buildStep(
            basicExpiringPolicy({ keyExpirationDays, revokeCheckMinutes }),
            (options) => new BasicExpiringCryptoPolicy(options),
          ),
      }
      return refuseSkipping(step, LAST_STEPS)
    }
    const step: KeyExpirationDaysStep = { withKeyExpirationDays }
    return refuseSkipping(step, ['withRevokeCheckMinutes', ...LAST_STEPS])
  }
}

function buildStep(
  options: CryptoPolicyOptions,
  make: (options: CryptoPolicyOptions) => BasicExpiringCryptoPolicy,
): CryptoPolicyBuildStep {
  const next = (more: CryptoPolicyOptions): CryptoPolicyBuildStep => buildStep({ ...options, ...more }, make)
  const notify = (wanted: boolean): CryptoPolicyBuildStep =>
    next({ notifyExpiredKeyOnRead: wanted || options.notifyExpiredKeyOnRead === true })
  return {
    withRotationStrategy: (strategy) => next({ rotation: strategy === 'QUEUED' ? 'queued' : 'inline' }),
    withCanCacheSystemKeys: (cacheSystemKeys) => next({ cacheSystemKeys }),
    withCanCacheIntermediateKeys: (cacheIntermediateKeys) => next({ cacheIntermediateKeys }),
    withCanCacheSessions: (cacheSessions) => next({ cacheSessions }),
    withSessionCacheMaxSize: (sessionCacheMaxSize) => next({ sessionCacheMaxSize }),
    withSessionCacheExpireMinutes: (minutes) => next({ sessionCacheTtlMs: minutes * 60_000 }),
    withSessionCacheExpireMillis: (sessionCacheTtlMs) => next({ sessionCacheTtlMs }),
    withNotifyExpiredSystemKeyOnRead: notify,
    withNotifyExpiredIntermediateKeyOnRead: notify,
    build: () => make(options),
  }
}
