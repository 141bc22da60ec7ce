import type { Plan } from '@asherah/config'
import { InvalidConfigError } from '@asherah/core'

/** How one setting is given: its name in a config file, its flag and its variable. */
export interface SettingSpec {
  readonly flag: string
  readonly env: string
}

/** Every setting that may come from a flag, a variable or a config file. Its key is its name in a config file. */
export const settingSpecs = {
  service: { flag: '--service', env: 'ASHERAH_SERVICE' },
  product: { flag: '--product', env: 'ASHERAH_PRODUCT' },
  metastore: { flag: '--metastore', env: 'ASHERAH_METASTORE' },
  kms: { flag: '--kms', env: 'ASHERAH_KMS' },
  masterKeyFile: { flag: '--master-key-file', env: 'ASHERAH_MASTER_KEY_FILE' },
  field: { flag: '--field', env: 'ASHERAH_FIELD' },
  partitionField: { flag: '--partition-field', env: 'ASHERAH_PARTITION_FIELD' },
  partition: { flag: '--partition', env: 'ASHERAH_PARTITION' },
  format: { flag: '--format', env: 'ASHERAH_FORMAT' },
  delimiter: { flag: '--delimiter', env: 'ASHERAH_DELIMITER' },
  allowMissing: { flag: '--allow-missing', env: 'ASHERAH_ALLOW_MISSING' },
  chunkSize: { flag: '--chunk-size', env: 'ASHERAH_CHUNK_SIZE' },
  concurrency: { flag: '--concurrency', env: 'ASHERAH_CONCURRENCY' },
  expireAfter: { flag: '--expire-after', env: 'ASHERAH_EXPIRE_AFTER' },
} as const satisfies Readonly<Record<string, SettingSpec>>

/** The name of a setting, as in a config file. */
export type SettingName = keyof typeof settingSpecs

/** Names of all settings. */
export const settingNames: readonly SettingName[] = Object.keys(settingSpecs).filter(isSettingName)

/** The variable with the master key itself: there is no flag for it, since `ps` shows flags. */
export const masterKeyVariable = 'ASHERAH_MASTER_KEY_HEX'

/** Whether a text names a setting. */
function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settingSpecs, name)
}

/** A value and where it came from, for messages. */
export interface Given {
  readonly value: unknown
  /** `--service`, `ASHERAH_SERVICE`, or `service in 'asherah.config.json'`. */
  readonly source: string
  readonly origin: 'flag' | 'env' | 'file'
}

/** Settings from all sources, flags before variables before the config file. */
export interface Settings {
  /** The path of the config file, if there is one. */
  readonly configFile: string | undefined
  /** Where the config file is a config of `@asherah/config`: the metastore and the KMS that count if no setting names one. */
  readonly library: Plan | undefined
  /** Where a setting comes from; undefined when nobody gives it. */
  given(name: SettingName): Given | undefined
  /** @throws InvalidConfigError when it is not non-empty text, or not one of `allowed`. */
  text(name: SettingName): string | undefined
  /** @throws InvalidConfigError when nobody gives it; the message says where it may be given. */
  required(name: SettingName): string
  list(name: SettingName): readonly string[]
  flag(name: SettingName): boolean
  integer(name: SettingName, range: { readonly min: number; readonly max: number }): number | undefined
}

/** What {@link createSettings} merges. */
export interface SettingSources {
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly file: ConfigFile | undefined
}

/** A config file's settings, with its relative paths made relative to its own folder. */
export interface ConfigFile {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
  readonly library?: Plan
}

/** Merges the sources; a value is checked when it is asked for. */
export function createSettings(sources: SettingSources): Settings {
  const given = (name: SettingName): Given | undefined => {
    const { flag, env } = settingSpecs[name]
    const fromFlag = sources.flags[name]
    if (fromFlag !== undefined) return { value: fromFlag, source: flag, origin: 'flag' }
    const fromEnv = sources.env[env]
    if (fromEnv !== undefined) return { value: fromEnv, source: env, origin: 'env' }
    const fromFile = sources.file?.values[name]
    if (fromFile === undefined) return undefined
    return { value: fromFile, source: `${name} in '${sources.file?.path}'`, origin: 'file' }
  }
  const text = (name: SettingName): string | undefined => {
    const found = given(name)
    return found === undefined ? undefined : asText(found.value, found.source)
  }
  return {
    configFile: sources.file?.path,
    library: sources.file?.library,
    given,
    text,
    required(name) {
      const value = text(name)
      if (value !== undefined) return value
      const { flag, env } = settingSpecs[name]
      throw new InvalidConfigError(`${flag} is missing (or ${env}, or "${name}" in a config file)`)
    },
    list(name) {
      const found = given(name)
      if (found === undefined) return []
      // A variable holds one text: names in it are parted by commas.
      const values = found.origin === 'env' ? String(found.value).split(',') : found.value
      if (!Array.isArray(values)) return [asText(values, found.source)]
      return values.map((value: unknown) => asText(value, found.source))
    },
    flag(name) {
      const found = given(name)
      const value = found?.origin === 'env' ? parseSwitch(found.value) : found?.value
      if (found === undefined || typeof value === 'boolean') return value === true
      throw new InvalidConfigError(`${found.source} must be true or false`)
    },
    integer(name, { min, max }) {
      const found = given(name)
      if (found === undefined) return undefined
      const { value, source } = found
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
      if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
        throw new InvalidConfigError(`${source} must be a whole number from ${min} to ${max}`)
      }
      return number
    },
  }
}

function asText(value: unknown, source: string): string {
  if (typeof value !== 'string' || value === '') throw new InvalidConfigError(`${source} must be non-empty text`)
  return value
}

function parseSwitch(value: unknown): boolean | undefined {
  if (value === '1' || value === 'true') return true
  return value === '0' || value === 'false' || value === '' ? false : undefined
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, B: 1, KIB: 1024, MIB: 1024 ** 2, K: 1024, M: 1024 ** 2 }

/** A size in bytes: `1048576`, `64KiB`, `1MiB`. @throws InvalidConfigError naming `source` */
export function parseSize(given: Given, range: { readonly min: number; readonly max: number }): number {
  const match = /^(\d+)\s*([a-z]*)$/i.exec(String(given.value))
  const unit = sizeUnits[(match?.[2] ?? '').toUpperCase()]
  const bytes = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit
  if (!(bytes >= range.min && bytes <= range.max)) {
    throw new InvalidConfigError(
      `${given.source} must be a size such as 64KiB or 1MiB, from ${range.min} to ${range.max} bytes`,
    )
  }
  return bytes
}

const durationUnits: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration in milliseconds: `30s`, `15m`, `12h`, `90d`. @throws InvalidConfigError naming `source` */
export function parseDuration(given: Given): number {
  const match = /^(\d+)\s*([smhd])$/.exec(String(given.value))
  const unit = durationUnits[match?.[2] ?? '']
  const ms = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit
  if (!(ms >= 1_000 && Number.isSafeInteger(ms))) {
    throw new InvalidConfigError(`${given.source} must be a duration such as 30s, 15m, 12h or 90d`)
  }
  return ms
}
