import { readFile } from 'node:fs/promises'
import { type ConfigFinding, configKeys, planOf, readConfigText, reviewConfig } from '@asherah/config'
import { settingNames } from '../settings.ts'
import { packageFindings } from './packages.ts'

/** What a library's config means here. */
export interface ConfigReport {
  readonly ok: boolean
  readonly findings: readonly ConfigFinding[]
}

/**
 * Reviews a file of library config (`ServiceName` or `serviceName`, …), as programs of the old packages have it, and looks for
 * the packages that it needs in the working folder.
 *
 * @returns undefined when the file is the command's own config, or cannot be read: the command's reader tells that.
 */
export async function inspectConfig(path: string | undefined): Promise<ConfigReport | undefined> {
  const text = path === undefined ? undefined : await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined || !isLibraryConfig(text)) return undefined
  const reviewed = reviewConfig(text)
  const refused = new Set(reviewed.filter(({ level }) => level === 'fail').map(({ check }) => check))
  // A key that has to be corrected needs no second word on what it means.
  const findings = reviewed.filter(({ level, check }) => level === 'fail' || !refused.has(check))
  if (refused.size > 0) return { ok: false, findings: [...findings, ...absentKms(text)] }
  const { metastore, kms } = planOf(readConfigText(text))
  const packages = packageFindings([metastore.package, kms.package], process.cwd())
  return { ok: true, findings: [...findings, ...publicKey(kms.kind), ...packages] }
}

/** Whether it has a key of the library, in any case, that is none of the command's. */
function isLibraryConfig(text: string): boolean {
  const own = new Set(settingNames.map((name) => name.toLowerCase()))
  const lower = text.toLowerCase()
  return configKeys
    .flatMap(({ name, camel }) => [name.toLowerCase(), camel.toLowerCase()])
    .some((name) => !own.has(name) && lower.includes(`"${name}"`))
}

/** What 3.x took for a KMS that is not named. */
function absentKms(text: string): ConfigFinding[] {
  const given = namesOf(text)
  if (given.includes('kms') || !given.includes('regionmap')) return []
  return [{ level: 'warn', check: 'KMS', message: 'for 3.x an absent KMS was aws: write "KMS": "aws"' }]
}

function namesOf(text: string): string[] {
  try {
    const present = Object.entries(Object(JSON.parse(text))).filter(([, value]) => value !== null)
    return present.map(([name]) => name.toLowerCase())
  } catch {
    return [] // the review told that it is no JSON
  }
}

function publicKey(kind: string): ConfigFinding[] {
  if (kind !== 'test-debug-static') return []
  const message = 'its key is public, and whoever has the metastore reads everything; setup refuses it in production'
  return [{ level: 'warn', check: 'KMS', message }]
}
