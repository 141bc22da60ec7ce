import { readFile } from 'node:fs/promises'
import { type ConfigFinding, configKeys, reviewConfig } from '@asherah/config'
import { settingNames } from '../settings.ts'

/** What a library's config means here. */
export interface ConfigReport {
  readonly ok: boolean
  readonly findings: readonly ConfigFinding[]
}

/**
 * Reviews a file of library config (`ServiceName` or `serviceName`, …), as programs of the old packages have it.
 *
 * @returns undefined when the file is the command's own config, or cannot be read: the command's reader tells that.
 */
export async function inspectConfig(path: string | undefined): Promise<ConfigReport | undefined> {
  const text = path === undefined ? undefined : await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined || !isLibraryConfig(text)) return undefined
  const findings = reviewConfig(text)
  return { ok: findings.every(({ level }) => level !== 'fail'), findings }
}

/** Whether it has a key of the library that is none of the command's. */
function isLibraryConfig(text: string): boolean {
  const own: readonly string[] = settingNames
  const names = configKeys.flatMap(({ name, camel }) => [name, camel]).filter((name) => !own.includes(name))
  return names.some((name) => text.includes(`"${name}"`))
}
