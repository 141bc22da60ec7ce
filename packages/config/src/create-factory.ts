import {
  channels,
  type KeyManagementService,
  type Metastore,
  SessionFactory,
  type SessionFactoryOptions,
} from '@asherah/core'
import { checkKnownOptions } from '@asherah/core/backend'
import type { AsherahConfig } from './asherah-config.ts'
import { checkDrift } from './drift-guard.ts'
import { type LoadPackage, loadKms, loadMetastore, loadPackage } from './load-backend.ts'
import { type Plan, planOf } from './plan.ts'
import { type Environment, readConfigObject, type Settings } from './settings.ts'

/** What {@link createFactoryFromConfig} takes beside the config. */
export interface FromConfigOptions
  extends Pick<SessionFactoryOptions, 'crypto' | 'secrets' | 'clock' | 'uniformErrors' | 'maxPlaintextBytes'> {
  /** Default `process.env`. */
  readonly env?: Environment
  /** How backends are loaded. Default `import(name)` from where this package is. */
  readonly load?: LoadPackage
  /** Let the factory share the sessions of a partition. Default: what `EnableSessionCaching` says. */
  readonly cacheSessions?: boolean
  /** Wraps the metastore before the factory gets it, to time it for instance. */
  readonly wrapMetastore?: (metastore: Metastore, plan: Plan) => Metastore
  readonly wrapKms?: (kms: KeyManagementService, plan: Plan) => KeyManagementService
}

/** A factory and the backends that were made for it. */
export interface ConfiguredFactory extends AsyncDisposable {
  readonly factory: SessionFactory
  readonly metastore: Metastore
  readonly kms: KeyManagementService
  readonly plan: Plan
  /** Closes the factory, as its own `close` does, then the backends. Idempotent. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>
}

const OPTIONS = [
  'crypto',
  'secrets',
  'clock',
  'uniformErrors',
  'maxPlaintextBytes',
  'env',
  'load',
  'cacheSessions',
  'wrapMetastore',
  'wrapKms',
] as const satisfies readonly (keyof FromConfigOptions)[]

/**
 * Makes a session factory from a config: an object of the keys in docs/config.md, or what one of the readers gave.
 *
 * Backends are loaded on demand. Keys that are given and have no effect are told on the channel `asherah:warning`
 * (`CONFIG_NO_EFFECT`), once for each factory.
 *
 * @throws InvalidConfigError naming the key and what is allowed, or the package to install.
 * @example
 * const { factory, close } = await createFactoryFromConfig({ serviceName: 'billing', productId: 'shop', … })
 */
export async function createFactoryFromConfig(
  config: AsherahConfig | Settings,
  options: FromConfigOptions = {},
): Promise<ConfiguredFactory> {
  checkKnownOptions('createFactoryFromConfig', options, OPTIONS)
  const { env = process.env, load = loadPackage, ...rest } = options
  const plan = planOf(isSettings(config) ? config : readConfigObject(config, env))
  const backends = await openBackends(plan, load)
  try {
    return createFactoryOver(plan, backends, rest)
  } catch (error) {
    await backends.close().catch(() => undefined) // the first failure is the one to tell
    throw error
  }
}

/** The backends of a plan. */
export interface Backends {
  readonly metastore: Metastore
  readonly kms: KeyManagementService
  close(): Promise<void>
}

/** The asynchronous half of {@link createFactoryFromConfig}. Tells the plan's warnings. @throws InvalidConfigError */
export async function openBackends(plan: Plan, load: LoadPackage): Promise<Backends> {
  for (const message of plan.warnings) channels.warning.publish({ code: 'CONFIG_NO_EFFECT', message })
  const opened: { close?(): Promise<void> | void }[] = []
  try {
    const kms = await loadKms(plan.kms, load)
    opened.push(kms)
    const metastore = await loadMetastore(plan.metastore, load)
    opened.push(metastore)
    if (plan.driftGuard) await checkDrift(metastore, plan)
    return { metastore, kms, close: () => closeAll(opened) }
  } catch (error) {
    await closeAll(opened).catch(() => undefined) // the first failure is the one to tell
    throw error
  }
}

/** The other half, for who has the backends: a factory over them, whose `close` closes them. @throws InvalidConfigError */
export function createFactoryOver(
  plan: Plan,
  backends: Backends,
  options: Omit<FromConfigOptions, 'env' | 'load'> = {},
): ConfiguredFactory {
  const { cacheSessions, wrapMetastore, wrapKms, ...rest } = options
  const { metastore, kms } = backends
  const factory = new SessionFactory({
    service: plan.service,
    product: plan.product,
    policy: { ...plan.policy, cacheSessions: cacheSessions ?? plan.sessionCaching },
    selfHealRecoveredKeys: plan.selfHealRecoveredKeys,
    ...(plan.recoveryRegionSuffixes !== undefined && { recoveryRegionSuffixes: plan.recoveryRegionSuffixes }),
    ...rest,
    metastore: wrapMetastore?.(metastore, plan) ?? metastore,
    kms: wrapKms?.(kms, plan) ?? kms,
  })
  let closing: Promise<void> | undefined
  const close: ConfiguredFactory['close'] = (how) => {
    closing ??= factory.close(how).finally(() => backends.close())
    return closing
  }
  return { factory, metastore, kms, plan, close, [Symbol.asyncDispose]: () => close() }
}

async function closeAll(opened: readonly { close?(): Promise<void> | void }[]): Promise<void> {
  const closed = await Promise.allSettled(opened.map(async (one) => one.close?.()))
  const failed = closed.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

function isSettings(config: AsherahConfig | Settings): config is Settings {
  return typeof Reflect.get(config ?? {}, 'redacted') === 'function'
}
