import { open, readFile, rename, rm } from 'node:fs/promises'
import { InvalidConfigError } from '@asherah/core'
import { FileError, hasCode, tryFile } from '../errors.ts'
import type { Position } from '../formats/format.ts'
import type { InputIdentity } from './input.ts'

/** What a run was asked to do, as text values: a resumed run must be asked the same. */
export type RunOptions = Readonly<Record<string, string>>

/** The sidecar of a partial output: what it is, and how far it is safely on disk. */
export interface Journal {
  readonly version: 1
  readonly pid: number
  readonly host: string
  readonly options: RunOptions
  readonly input: InputIdentity
  readonly position: Position
  /** True when the partial output is whole and only has to be renamed. */
  readonly complete: boolean
}

/** Replaces the journal atomically and flushes it. */
export async function writeJournal(path: string, journal: Journal): Promise<void> {
  await tryFile(`write '${path}'`, async () => {
    const next = `${path}.new`
    const file = await open(next, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(journal)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(next, path)
  })
}

/** The journal, or undefined when there is none. */
export async function readJournal(path: string): Promise<Journal | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    return tryFile(`read '${path}'`, () => Promise.reject(error))
  }
  const journal = parseJournal(text)
  if (journal === undefined) {
    throw new FileError(`'${path}' is not a journal of this version: start over with --force`)
  }
  return journal
}

/** Removes a journal and what an interrupted write of it left. */
export async function removeJournal(path: string): Promise<void> {
  await rm(path, { force: true })
  await rm(`${path}.new`, { force: true })
}

/** @throws InvalidConfigError naming the option that differs; FileError when the input is another one. */
export function checkSameRun(journal: Journal, options: RunOptions, input: InputIdentity, label: string): void {
  for (const name of new Set([...Object.keys(journal.options), ...Object.keys(options)])) {
    const before = journal.options[name]
    const now = options[name]
    if (before === now) continue
    const values = name === 'metastore' ? '' : `: it was ${quoted(before)} and is now ${quoted(now)}`
    throw new InvalidConfigError(`cannot resume with another ${name}${values}; start over with --force`)
  }
  const { size, mtimeMs, prefixHash } = journal.input
  if (size !== input.size || mtimeMs !== input.mtimeMs || prefixHash !== input.prefixHash) {
    throw new FileError(`cannot resume: ${label} was changed since the interrupted run; start over with --force`)
  }
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'not given' : `'${value}'`
}

function parseJournal(text: string): Journal | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isJournal(value) ? value : undefined
}

function isJournal(value: unknown): value is Journal {
  return (
    hasShape(value, { version: 'number', pid: 'number', host: 'string', complete: 'boolean' }) &&
    'version' in value &&
    value.version === 1 &&
    'options' in value &&
    isTextRecord(value.options) &&
    'input' in value &&
    hasShape(value.input, { size: 'number', mtimeMs: 'number', prefixHash: 'string' }) &&
    'position' in value &&
    hasShape(value.position, {
      input: 'number',
      output: 'number',
      rows: 'number',
      values: 'number',
      line: 'number',
      fileId: 'string',
    })
  )
}

function hasShape(value: unknown, shape: Readonly<Record<string, string>>): value is object {
  if (typeof value !== 'object' || value === null) return false
  const types = new Map(Object.entries(value).map(([name, member]) => [name, typeof member]))
  return Object.entries(shape).every(([name, type]) => types.get(name) === type)
}

function isTextRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string')
}
