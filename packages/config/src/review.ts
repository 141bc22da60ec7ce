import { AsherahError } from '@asherah/core'
import { planOf } from './plan.ts'
import { type Environment, readConfigObject } from './settings.ts'
import { kindOf, parseJson } from './values.ts'

/** What a move to this package means for one part of an old config. */
export interface ConfigFinding {
  /** `fail`: setup refuses it. `warn`: it is accepted, and means or does something else than before. */
  readonly level: 'pass' | 'warn' | 'fail'
  /** The key, or `config`. */
  readonly check: string
  readonly message: string
}

const NANOSECONDS = 1_000_000_000
const DURATIONS: Readonly<Record<string, string>> = {
  expireafter: 'ExpireAfter',
  checkinterval: 'CheckInterval',
  sessioncacheduration: 'SessionCacheDuration',
}

/**
 * Reads the config of an old package (3.x or 4.x of `asherah`), in JSON, and tells all that would change, rather than the first
 * thing that is refused. Nothing is loaded or connected; no finding shows a text value.
 */
export function reviewConfig(text: string, env: Environment = process.env): readonly ConfigFinding[] {
  const config = objectOf(text)
  if ('fault' in config) return [{ level: 'fail', check: 'config', message: config.fault }]
  const refused = Object.entries(config.value).flatMap(([name, value]) => refusalOf(name, value))
  const whole = refused.length > 0 ? [] : wholeFindings(config.value, env)
  const findings = [...refused, ...whole, ...changes(config.value)]
  return findings.length > 0
    ? findings
    : [{ level: 'pass', check: 'config', message: 'it is accepted, and means the same' }]
}

function objectOf(text: string): { readonly value: object } | { readonly fault: string } {
  try {
    const value = parseJson(text.replace(/^\uFEFF/, ''), 'the config')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { value }
    return { fault: `the config is a JSON object, not ${kindOf(value)}` }
  } catch (error) {
    return { fault: messageOf(error) }
  }
}

function refusalOf(name: string, value: unknown): ConfigFinding[] {
  try {
    readConfigObject({ [name]: value }, {})
    return []
  } catch (error) {
    const duration = DURATIONS[name.toLowerCase()]
    const seconds = typeof value === 'number' && value >= NANOSECONDS ? Math.round(value / NANOSECONDS) : undefined
    const hint = duration === undefined || seconds === undefined ? '' : `: write ${seconds}`
    return [{ level: 'fail', check: name, message: `${messageOf(error)}${hint}` }]
  }
}

function wholeFindings(config: object, env: Environment): ConfigFinding[] {
  try {
    const { warnings } = planOf(readConfigObject(config, env))
    return warnings.map((message) => ({ level: 'warn', check: message.split(' ')[0] ?? 'config', message }))
  } catch (error) {
    return [{ level: 'fail', check: 'config', message: messageOf(error) }]
  }
}

/** Texts of what is accepted and differs from an old package. */
function changes(config: object): ConfigFinding[] {
  const present = Object.entries(config).filter(([, value]) => value !== null)
  const given = new Map(present.map(([name, value]) => [name.toLowerCase(), value]))
  const has = (name: string): boolean => given.has(name)
  const findings: ConfigFinding[] = []
  const add = (check: string, message: string): void => void findings.push({ level: 'warn', check, message })
  for (const [name, check] of Object.entries(DURATIONS)) {
    if (!has(name)) continue
    add(check, `it is ${String(given.get(name))} seconds here, as in 4.x; 3.x took it as nanoseconds`)
  }
  // Of any case: setup reads it so.
  if (String(given.get('kms')).toLowerCase() === 'static') {
    add('KMS', '3.x used a public key for static whatever the config said; KMS test-debug-static reads what it wrote')
  }
  if (given.get('enableregionsuffix') === true && !has('recoveryregionsuffixes')) {
    add(
      'RecoveryRegionSuffixes',
      'a suffixed deployment must list the suffixes of its other regions to read their records',
    )
  }
  if (!has('enablesessioncaching')) add('EnableSessionCaching', 'it is true by default, as in 4.x; in 3.x it was false')
  if (has('recoveryregionsuffixes') && !has('selfhealrecoveredkeys')) {
    add('SelfHealRecoveredKeys', 'it is false by default: a read never writes; in 4.x it was true')
  }
  return findings
}

/** Ours holds no text of the config. */
function messageOf(error: unknown): string {
  return error instanceof AsherahError ? error.message : 'it cannot be read'
}
