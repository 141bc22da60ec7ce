import { InvalidConfigError, type KeyManagementService, type Metastore } from '@asherah/core'
import type { BackendPlan } from './metastore-plan.ts'
import { neededNode } from './node-version.ts'

/** Loads a package by its name. `(name) => import(name)` of a program finds what that program has installed. */
export type LoadPackage = (name: string) => Promise<unknown>

/** What is in this file's own reach: npm puts optional packages beside it. */
export const loadPackage: LoadPackage = (name) => import(name)

/** @throws InvalidConfigError with the install line when the package is not there, or with the Node that it needs. */
export async function loadMetastore(plan: BackendPlan, load: LoadPackage): Promise<Metastore> {
  const made = await makeBackend(plan, load)
  if (hasMethods(made, ['load', 'loadLatest', 'store'])) return made
  throw wrongVersion(plan)
}

/** @throws InvalidConfigError with the install line when the package is not there, or with the Node that it needs. */
export async function loadKms(
  plan: BackendPlan,
  load: LoadPackage,
): Promise<KeyManagementService & { close?(): Promise<void> | void }> {
  const made = await makeBackend(plan, load)
  if (hasMethods(made, ['encryptKey', 'decryptKey'])) return made
  throw wrongVersion(plan)
}

async function makeBackend(plan: BackendPlan, load: LoadPackage): Promise<unknown> {
  let module: unknown
  try {
    module = await load(plan.package)
  } catch (cause) {
    throw notLoaded(plan, cause)
  }
  const make: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, plan.factory) : undefined
  if (typeof make !== 'function') throw wrongVersion(plan)
  try {
    return make(plan.options)
  } catch (cause) {
    if (!(cause instanceof InvalidConfigError)) throw cause
    // The option's name in a config, which gives no other part of it.
    const message = cause.message.replaceAll(/tls\.serverName|the option tls\b/g, 'TlsServerName')
    throw new InvalidConfigError(`${plan.kind} refuses what the config gives it: ${message}`, { cause })
  }
}

function notLoaded({ kind, package: name }: BackendPlan, cause: unknown): InvalidConfigError {
  const node = neededNode(name)
  if (node !== undefined) {
    return new InvalidConfigError(
      `${kind} needs Node ≥ ${node}, and this is ${process.versions.node}: the package ${name} cannot be loaded here`,
      { cause },
    )
  }
  if (isMissing(cause, name)) {
    return new InvalidConfigError(`the package ${name} is not installed, which ${kind} needs: npm install ${name}`, {
      cause,
    })
  }
  const [reason = ''] = cause instanceof Error ? cause.message.split('\n') : []
  return new InvalidConfigError(`the package ${name} cannot be loaded${reason === '' ? '' : `: ${reason}`}`, { cause })
}

/** The package itself, rather than one that it imports. */
function isMissing(error: unknown, name: string): boolean {
  if (!(error instanceof Error)) return false
  const code: unknown = Reflect.get(error, 'code')
  const isNotFound = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
  return (
    (isNotFound || /failed to (load|resolve)|cannot find (package|module)/i.test(error.message)) &&
    error.message.includes(name)
  )
}

function wrongVersion({ package: name, factory }: BackendPlan): InvalidConfigError {
  return new InvalidConfigError(`the package ${name} has no ${factory} that fits: install the version of this package`)
}

function hasMethods<K extends string>(value: unknown, names: readonly K[]): value is Metastore & KeyManagementService {
  return (
    typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
