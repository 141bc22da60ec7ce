import { InvalidConfigError, type Metastore } from '@asherah/core'
import type { OpenMetastore } from './metastore-url.ts'

/** Loads a package by its name. */
export type LoadPackage = (name: string) => Promise<unknown>

/** Each by its name in full: a bundler and a check of dependencies see which they are. */
const packages: Readonly<Record<string, () => Promise<unknown>>> = {
  '@asherah/kms-aws': () => import('@asherah/kms-aws'),
  '@asherah/kms-secrets-manager': () => import('@asherah/kms-secrets-manager'),
  '@asherah/kms-vault': () => import('@asherah/kms-vault'),
  '@asherah/kms-static': () => import('@asherah/kms-static'),
  '@asherah/metastore-sqlite': () => import('@asherah/metastore-sqlite'),
  '@asherah/metastore-postgres': () => import('@asherah/metastore-postgres'),
  '@asherah/metastore-mysql': () => import('@asherah/metastore-mysql'),
  '@asherah/metastore-mssql': () => import('@asherah/metastore-mssql'),
  '@asherah/metastore-oracle': () => import('@asherah/metastore-oracle'),
  '@asherah/metastore-dynamodb': () => import('@asherah/metastore-dynamodb'),
}

/** Loads what is installed beside this package. */
export const loadPackage: LoadPackage = async (name) => packages[name]?.()

/** Which function of which package makes a metastore, and out of what. */
export interface MetastoreSource {
  readonly package: string
  readonly factory: string
  /** Hold it as a secret: connection strings have passwords. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * Makes a metastore of a package that this one does not bring along: nobody needs the drivers of all databases.
 *
 * @param load Default: what is installed beside this package.
 * @throws InvalidConfigError with the install line when the package is not there.
 */
export async function loadMetastore(source: MetastoreSource, load: LoadPackage = loadPackage): Promise<OpenMetastore> {
  const { package: name, factory, options } = source
  let module: unknown
  try {
    module = await load(name)
  } catch (cause) {
    if (!isMissing(cause, name)) {
      const [reason] = cause instanceof Error ? cause.message.split('\n') : []
      throw new InvalidConfigError(`the package ${name} cannot be loaded: ${reason ?? 'see its cause'}`, { cause })
    }
    throw new InvalidConfigError(
      `this --metastore needs the package ${name}: npm install ${name} (with --global, if asherah was installed so)`,
      { cause },
    )
  }
  const create: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, factory) : undefined
  const made: unknown = typeof create === 'function' ? await create(options) : undefined
  if (!isMetastore(made))
    throw new InvalidConfigError(`the package ${name} does not fit: install the version of asherah`)
  return made
}

/** The package itself, rather than one that it imports. */
function isMissing(error: unknown, name: string): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'ERR_MODULE_NOT_FOUND' && error.message.includes(name)
}

function isMetastore(value: unknown): value is OpenMetastore {
  const methods: readonly (keyof Metastore)[] = ['load', 'loadLatest', 'store', 'close']
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof Reflect.get(value, method) === 'function')
  )
}
