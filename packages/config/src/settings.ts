import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { InvalidConfigError, nearestName } from '@asherah/core/backend'
import type { AsherahConfig } from './asherah-config.ts'
import { type ConfigKey, configKeys, keysByName } from './key-table.ts'
import { type ConfigValue, checkEnvValue, checkValue, kindOf, parseJson, quoteName } from './values.ts'

/** Environment variables; undefined and `''` are absent. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where a value came from. */
export type Origin = 'config' | 'environment'

/** A checked config. `inspect` and `JSON.stringify` of it show no value of a secret key. */
export interface Settings {
  has(name: string): boolean
  /** Undefined: absent. */
  origin(name: string): Origin | undefined
  text(name: string): string | undefined
  number(name: string): number | undefined
  flag(name: string): boolean | undefined
  list(name: string): readonly string[] | undefined
  map(name: string): Readonly<Record<string, string>> | undefined
  /** The names of the keys that are given, in the table's order. */
  names(): readonly string[]
  /** What may be logged: `[redacted]` for secrets, and ARNs without their account. */
  redacted(): Readonly<Record<string, unknown>>
  /** Every value, secrets too: to make the same settings in another thread. */
  reveal(): AsherahConfig
  toJSON(): unknown
}

interface Entry {
  readonly value: ConfigValue
  readonly origin: Origin
  /** The variable, for the environment. */
  readonly source: string
}

/** A longer text is cut: to look at all of it would take long. */
const MAX_REDACTED = 16_384

/** The keys whose environment variables are read when one of the other keys is in the config would contradict it. */
const EXCLUSIVE: Readonly<Record<string, readonly string[]>> = {
  VaultToken: ['VaultAuthMethod'],
  VaultAuthMethod: ['VaultToken'],
}

/**
 * Checks a config object, with PascalCase or camelCase names; null and undefined are absent.
 *
 * Where a key is absent, the environment is read if the table marks the key so (secrets and operators' switches).
 *
 * @throws InvalidConfigError naming the key, the nearest known name and what is allowed.
 */
export function readConfigObject(config: object, env: Environment = process.env): Settings {
  const given: unknown = config
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidConfigError(`the config is an object, not ${kindOf(given)}`)
  }
  const entries = new Map<string, Entry>()
  const spelling = new Map<string, string>()
  for (const [name, value] of Object.entries(given)) {
    if (name === '$schema') continue // for editors
    const key = keysByName.get(name)
    if (key === undefined) throw unknownKey(name)
    if (value === null || value === undefined) continue
    const checked = checkValue(key, value, name)
    const before = entries.get(key.name)
    if (before !== undefined && !sameValue(before.value, checked)) {
      throw new InvalidConfigError(`${spelling.get(key.name)} and ${name} are one key, with different values`)
    }
    entries.set(key.name, { value: checked, origin: 'config', source: name })
    spelling.set(key.name, name)
  }
  addEnvironment(entries, env, (key) => key.ambient)
  return settingsOf(entries)
}

/**
 * Checks a config file: one JSON object of the keys of {@link readConfigObject}.
 *
 * @throws InvalidConfigError also when the file cannot be read; no message holds any of its text.
 */
export function readConfigFile(path: string, env: Environment = process.env): Settings {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new InvalidConfigError(`the config file ${JSON.stringify(path)} cannot be read`, { cause })
  }
  return readConfigText(text, env, `the config file ${JSON.stringify(path)}`)
}

/** Checks a config in JSON. @throws InvalidConfigError */
export function readConfigText(text: string, env: Environment = process.env, shown = 'the config'): Settings {
  const value = parseJson(text.replace(/^\uFEFF/, ''), shown)
  if (typeof value !== 'object' || value === null) throw new InvalidConfigError(`${shown} is not a JSON object`)
  return readConfigObject(value, env)
}

/** Checks a config that is in the environment alone. @throws InvalidConfigError naming the variable. */
export function readConfigEnvironment(env: Environment = process.env): Settings {
  const entries = new Map<string, Entry>()
  addEnvironment(entries, env, () => true)
  return settingsOf(entries)
}

function unknownKey(name: string): InvalidConfigError {
  const known = name.charAt(0) === name.charAt(0).toLowerCase() ? 'camel' : 'name'
  const nearest = nearestName(
    name,
    configKeys.map((key) => key[known]),
  )
  const hint = nearest === undefined ? 'docs/config.md lists all keys' : `did you mean ${nearest}?`
  return new InvalidConfigError(`the config has no key ${quoteName(name)}: ${hint}`)
}

function addEnvironment(entries: Map<string, Entry>, env: Environment, wanted: (key: ConfigKey) => boolean): void {
  for (const key of configKeys) {
    if (entries.has(key.name) || !wanted(key)) continue
    if (EXCLUSIVE[key.name]?.some((other) => entries.get(other)?.origin === 'config') === true) continue
    const set = key.env.filter((name) => env[name] !== undefined && env[name] !== '')
    const chosen = key.name === 'ConnectionString' ? connectionVariable(set, entries, env) : set[0]
    if (chosen === undefined) continue
    const value = checkEnvValue(key, env[chosen] ?? '', `the environment variable ${chosen}`)
    entries.set(key.name, { value, origin: 'environment', source: chosen })
  }
}

/** The one variable that holds the connection string: `SQLITE_PATH` only for sqlite, one URL only for rdbms. */
function connectionVariable(set: readonly string[], entries: Map<string, Entry>, env: Environment): string | undefined {
  const metastore = entries.get('Metastore')?.value
  if (metastore === 'sqlite' || metastore === 'test-debug-sqlite') return set.find((name) => name === 'SQLITE_PATH')
  const urls = set.filter((name) => name !== 'SQLITE_PATH' && env[name] !== '')
  if (metastore === 'rdbms' && urls.length > 1) {
    throw new InvalidConfigError(`the environment names several databases: ${urls.join(', ')}: set one of them`)
  }
  return metastore === 'rdbms' ? urls[0] : undefined
}

function sameValue(a: ConfigValue, b: ConfigValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function settingsOf(entries: ReadonlyMap<string, Entry>): Settings {
  const lookUp = (name: string): ConfigValue | undefined => entries.get(name)?.value
  const names = (): string[] => configKeys.map(({ name }) => name).filter((name) => entries.has(name))
  const redacted = (): Readonly<Record<string, unknown>> =>
    Object.fromEntries(names().map((name) => [name, redactValue(name, lookUp(name))]))
  const settings: Settings = {
    has: (name) => entries.has(name),
    origin: (name) => entries.get(name)?.origin,
    text(name) {
      const value = lookUp(name)
      return typeof value === 'string' ? value : undefined
    },
    number(name) {
      const value = lookUp(name)
      return typeof value === 'number' ? value : undefined
    },
    flag(name) {
      const value = lookUp(name)
      return typeof value === 'boolean' ? value : undefined
    },
    list(name) {
      const value = lookUp(name)
      return isList(value) ? value : undefined
    },
    map(name) {
      const value = lookUp(name)
      return typeof value === 'object' && !isList(value) ? value : undefined
    },
    names,
    redacted,
    reveal: () => Object.fromEntries([...entries].map(([name, { value }]) => [name, value])),
    toJSON: redacted,
  }
  return Object.defineProperty(settings, inspect.custom, { value: redacted, enumerable: false })
}

function isList(value: ConfigValue | undefined): value is readonly string[] {
  return Array.isArray(value)
}

function redactValue(name: string, value: ConfigValue | undefined): unknown {
  if (keysByName.get(name)?.type === 'secret') return '[redacted]'
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'object' && !isList(value)) {
    return Object.fromEntries(Object.entries(value).map(([region, arn]) => [region, redactText(arn)]))
  }
  return value
}

/**
 * A text as a log may show it: no password or user of a URL or connection string, no account of an ARN, no run of 64 hex
 * digits.
 */
export function redactText(text: string): string {
  return text
    .slice(0, MAX_REDACTED)
    .replace(/\b([a-z][a-z0-9+.-]{0,30}:\/\/)\S{0,2048}@/gi, '$1[redacted]@')
    .replace(/\S{1,512}@(tcp4?|tcp6|unix)\(/gi, '[redacted]@$1(')
    .replace(/\b(password|pwd|user id|uid|user)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|[^;\s]*)/gi, '$1=[redacted]')
    .replace(/\barn:(aws[a-z-]*):([a-z0-9-]*):([a-z0-9-]*):\d{12}:/gi, 'arn:$1:$2:$3:[redacted]:')
    .replace(/\b[0-9a-f]{64}\b/gi, '[redacted]')
}
