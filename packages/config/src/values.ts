import { InvalidConfigError, nearestName } from '@asherah/core/backend'
import type { ConfigKey } from './key-table.ts'

/** A checked value. */
export type ConfigValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>>

/** What people write as the metastore, and what is the connection string's to say. */
const DATABASES: readonly string[] = ['postgres', 'postgresql', 'mysql', 'mariadb', 'mssql', 'sqlserver', 'oracle']

/** Without its other half: such text has no UTF-8 bytes. */
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Checks a value as an object or a JSON file gives it. No message holds the value's text: it may be a misplaced secret.
 *
 * @param shown How the key was called, for messages.
 * @throws InvalidConfigError
 */
export function checkValue(key: ConfigKey, value: unknown, shown: string): ConfigValue {
  switch (key.type) {
    case 'text':
    case 'secret':
      return textOf(value, shown)
    case 'choice':
      return choiceOf(key, textOf(value, shown), shown)
    case 'flag':
      if (typeof value === 'boolean') return value
      throw new InvalidConfigError(`${shown} is true or false, not ${kindOf(value)}`)
    case 'seconds':
    case 'count':
      return numberOf(key, value, shown)
    case 'textList':
      if (Array.isArray(value)) return value.map((item: unknown, index) => textOf(item, `${shown}[${index}]`))
      throw new InvalidConfigError(`${shown} is a list of texts, not ${kindOf(value)}`)
    case 'regionMap':
      return regionMapOf(value, shown)
  }
}

/** Checks a value as the environment gives it. @throws InvalidConfigError */
export function checkEnvValue(key: ConfigKey, text: string, shown: string): ConfigValue {
  switch (key.type) {
    case 'flag':
      return flagOf(text, shown)
    case 'seconds':
    case 'count':
      return numberOf(key, /^\d{1,20}$/.test(text.trim()) ? Number(text) : Number.NaN, shown)
    case 'textList':
      return text.split(',').map((item) => textOf(item.trim(), shown))
    case 'regionMap':
      return regionMapOf(text, shown)
    default:
      return checkValue(key, text, shown)
  }
}

/** A JSON text's value. @throws InvalidConfigError without the text, and without the parser's message, which quotes it. */
export function parseJson(text: string, shown: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new InvalidConfigError(`${shown} is not JSON`)
  }
  const twice = duplicateName(text)
  if (twice !== undefined) throw new InvalidConfigError(`${shown} has ${quoteName(twice)} twice`)
  return value
}

/** A name as an error may show it. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)
}

/** The kind of a value; numbers and booleans are shown themselves. */
export function kindOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function textOf(value: unknown, shown: string): string {
  if (typeof value !== 'string') throw new InvalidConfigError(`${shown} is text, not ${kindOf(value)}`)
  if (value === '') throw new InvalidConfigError(`${shown} is empty: leave it out, or give null`)
  if (LONE_SURROGATE.test(value) || value.includes('\0')) {
    throw new InvalidConfigError(`${shown} is not well-formed text`)
  }
  return value
}

function choiceOf(key: ConfigKey, text: string, shown: string): string {
  const wanted = text.toLowerCase()
  if (key.choices.includes(wanted)) return wanted
  const nearest = nearestName(wanted, key.choices)
  const hint =
    key.name === 'Metastore' && DATABASES.includes(wanted)
      ? `: for ${wanted}, write rdbms, with the database's URL as ConnectionString`
      : nearest === undefined
        ? ''
        : `: did you mean ${nearest}?`
  throw new InvalidConfigError(`${shown} is one of ${key.choices.join(', ')}${hint}`)
}

function numberOf(key: ConfigKey, value: unknown, shown: string): number {
  const unit = key.type === 'seconds' ? ' of seconds' : ''
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= key.min && value <= key.max) return value
  if (key.type === 'seconds' && typeof value === 'number' && value > key.max) {
    throw new InvalidConfigError(
      `${shown} is a whole number of seconds from ${key.min} to ${key.max}, and ${value} looks like nanoseconds, ` +
        'which 3.x of the Go-based package took: divide it by 1,000,000,000',
    )
  }
  const zero = value === 0 ? ': the default applies when it is left out' : ''
  throw new InvalidConfigError(
    `${shown} is a whole number${unit} from ${key.min} to ${key.max}, not ${kindOf(value)}${zero}`,
  )
}

function flagOf(text: string, shown: string): boolean {
  const value = text.trim().toLowerCase()
  if (['1', 'true', 'yes', 'on'].includes(value)) return true
  if (['0', 'false', 'no', 'off'].includes(value)) return false
  throw new InvalidConfigError(`${shown} is true or false (1, yes, on; 0, no, off)`)
}

function regionMapOf(value: unknown, shown: string): Readonly<Record<string, string>> {
  const map = typeof value === 'string' ? regionMapText(value, shown) : value
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new InvalidConfigError(`${shown} is an object of KMS key ARNs by region, not ${kindOf(map)}`)
  }
  const regions = Object.keys(map).sort()
  if (regions.length === 0) throw new InvalidConfigError(`${shown} names no region`)
  const entries = regions.map((region): [string, string] => {
    if (region === '') throw new InvalidConfigError(`${shown} has a region without a name`)
    return [region, textOf(Reflect.get(map, region), `${shown}[${quoteName(region)}]`)]
  })
  return Object.freeze(Object.fromEntries(entries))
}

/**
 * The map's JSON text, as 3.x programs give it too, or that text as a JSON string; or `region=arn,region=arn`, as the server
 * of the Go library takes it.
 */
function regionMapText(text: string, shown: string): unknown {
  if (/^\s*[{["]/.test(text)) {
    const value = parseJson(text, shown)
    return typeof value === 'string' && value.trim().startsWith('{') ? parseJson(value, shown) : value
  }
  const map = new Map<string, string>()
  const form = 'it is region=arn,region=arn, or JSON'
  for (const entry of text.split(',').map((part) => part.trim())) {
    // An ARN may have another =, in an alias.
    const [, region, arn] = /^([^=]*)=(.*)$/s.exec(entry)?.map((part) => part.trim()) ?? []
    if (entry === '') throw new InvalidConfigError(`${shown} has an empty entry: ${form}`)
    if (region === undefined || arn === undefined) {
      throw new InvalidConfigError(`${shown} has an entry without =: ${form}`)
    }
    if (map.has(region)) throw new InvalidConfigError(`${shown} has ${quoteName(region)} twice`)
    map.set(region, arn)
  }
  return Object.fromEntries(map)
}

/** A member's name that one object of a valid JSON text has twice: `JSON.parse` keeps the last one and says nothing. */
function duplicateName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g
  let last: string | undefined
  for (const [token] of text.matchAll(tokens)) {
    const names = open.at(-1)
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':' && last !== undefined && names !== undefined) {
      const name = String(JSON.parse(last))
      if (names.has(name)) return name
      names.add(name)
    }
    last = token.startsWith('"') ? token : undefined
  }
  return undefined
}
