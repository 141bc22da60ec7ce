import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { type Environment, planOf, readConfigText } from '@asherah/config'
import { InvalidConfigError } from '@asherah/core'
import { checkKnownOptions } from '@asherah/core/backend'
import { fileError, formatPlace, hasCode } from './errors.ts'
import { scanJsonObject } from './formats/json-members.ts'
import { type ConfigFile, createSettings, type Settings, settingNames } from './settings.ts'

/** Read when it is in the working folder and no other file is named. */
const defaultConfigFile = 'asherah.config.json'

/**
 * Reads a config file: a JSON object of settings, or, if it has a service name, a config of `@asherah/config`.
 *
 * @param path The file named by `--config` or `ASHERAH_CONFIG`; undefined: {@link defaultConfigFile}, if it is there.
 * @throws InvalidConfigError for bad JSON, an unknown key (naming the nearest), or a master key.
 */
export async function readConfigFile(
  path: string | undefined,
  folder = '',
  env: Environment = {},
): Promise<ConfigFile | undefined> {
  const file = path ?? join(folder, defaultConfigFile)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (path === undefined && hasCode(error, 'ENOENT')) return undefined
    throw fileError(`read the config file '${file}'`, error)
  }
  const label = `'${file}'`
  const values = parseConfig(text, label)
  if ('serviceName' in values || 'ServiceName' in values) return { path: file, ...libraryConfig(text, env, label) }
  for (const name of Object.keys(values)) {
    if (/^master[-_]?key([-_]?hex)?$/i.test(name)) {
      throw new InvalidConfigError(
        `${label}: a config file cannot hold the master key; name its file as "masterKeyFile"`,
      )
    }
  }
  checkKnownOptions(label, values, settingNames)
  return { path: file, values: resolvePaths(values, dirname(file)) }
}

/** Merges a command's flags with `ASHERAH_*` variables and the config file. @throws InvalidConfigError */
export async function loadSettings(
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Settings> {
  const { config } = flags
  const file = await readConfigFile(typeof config === 'string' ? config : env.ASHERAH_CONFIG, '', env)
  return createSettings({ flags, env, file })
}

/** The settings that a program's own config has as well. */
function libraryConfig(text: string, env: Environment, label: string): Pick<ConfigFile, 'values' | 'library'> {
  const library = planOf(readConfigText(text, env, label))
  const { service, product, policy } = library
  const expireAfter = policy.expireAfterMs === undefined ? {} : { expireAfter: `${policy.expireAfterMs / 1_000}s` }
  return { values: { service, product, ...expireAfter }, library }
}

function parseConfig(text: string, label: string): Readonly<Record<string, unknown>> {
  const scan = scanJsonObject(text)
  if ('fault' in scan) {
    const before = text.slice(0, scan.fault.offset).split('\n')
    const place = formatPlace({ line: before.length, column: [...(before.at(-1) ?? '')].length + 1 })
    throw new InvalidConfigError(`${label}, ${place}: ${scan.fault.message}`)
  }
  const names = scan.members.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new InvalidConfigError(`${label} has ${JSON.stringify(twice)} twice`)
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new InvalidConfigError(`${label} must hold one JSON object`)
  // Null says that a setting is not given.
  return Object.fromEntries(Object.entries(value).filter(([, setting]) => setting !== null))
}

function resolvePaths(values: Readonly<Record<string, unknown>>, folder: string): Readonly<Record<string, unknown>> {
  const { masterKeyFile, metastore } = values
  const scheme = 'sqlite://'
  return {
    ...values,
    ...(typeof masterKeyFile === 'string' && masterKeyFile !== ''
      ? { masterKeyFile: from(folder, masterKeyFile) }
      : {}),
    ...(typeof metastore === 'string' && metastore.startsWith(scheme) && metastore.length > scheme.length
      ? { metastore: scheme + from(folder, metastore.slice(scheme.length)) }
      : {}),
  }
}

function from(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path)
}
