import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// Programs of the old 3.x package: one tick from beginning to end. Each runs in a process of its own.

let folder = ''
let files = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'asherah-sync-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const child = (name: string): string => fileURLToPath(new URL(`./children/${name}`, import.meta.url))
const newFile = (): string => join(folder, `${++files}.db`)

interface Run {
  readonly file?: string
  readonly without?: readonly string[]
  readonly preload?: string
  readonly env?: Record<string, string>
}

function run(
  scenario: string,
  { file = newFile(), without = [], preload, env = {} }: Run = {},
): Record<string, unknown> {
  const flags = ['--conditions=asherah-source', '--disable-warning=ExperimentalWarning']
  const options = preload === undefined ? {} : { NODE_OPTIONS: `--import=${new URL(preload, import.meta.url).href}` }
  const printed = execFileSync(process.execPath, [...flags, child('sync-only.ts'), scenario, file, ...without], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', ...options, ...env },
  })
  return JSON.parse(printed)
}

const NATIVE = '@asherah/native-ffi'
const SECURE = '@asherah/secure-memory'

describe('a program whose event loop never turns', () => {
  it.each([
    ['native', []],
    ['secure memory', [NATIVE]],
    ['heap', [NATIVE, SECURE]],
  ])('asks the worker in its first call alone: %s', (path, without) => {
    const { first, loops, second, bytesCrossed, wiped, text, loaded, warnings } = run('loop', { without })
    const reads = ['loadLatest', 'load', 'decryptKey']
    expect(first).toEqual(['loadLatest', 'encrypt', ...reads])
    expect(loops).toEqual([])
    expect(second).toEqual([])
    // Two payloads under new keys, and one system key for both partitions.
    expect(bytesCrossed).toBe(3)
    expect(wiped).toBe(true)
    expect(text).toBe('payload')
    expect(loaded).toEqual(path === 'native' ? [NATIVE] : path === 'heap' ? [] : [SECURE])
    expect(warnings).toEqual(path === 'heap' ? ['HEAP_KEYS'] : [])
  })

  it('finds the keys of another process without a payload crossing', () => {
    const file = newFile()
    run('loop', { file })
    expect(run('existing', { file })).toEqual({
      first: ['loadLatest', 'load', 'decryptKey'],
      second: ['loadLatest'],
      rest: [],
    })
  })

  it.each(['revoke-ik', 'revoke-sk'])(
    'D-011 D-014 notices a revocation within the interval, and is hot again: %s',
    (scenario) => {
      const { changed, hot, text } = run(scenario)
      expect({ changed, hot, text }).toEqual({ changed: true, hot: [], text: 'payload' })
    },
  )

  it('rotates', () => {
    const { keys, asked, calls, text } = run('rotate')
    expect(keys).toBeGreaterThan(1)
    expect(Number(asked)).toBeLessThan(Number(calls) / 10)
    expect(text).toBe('payload')
  })

  it.each(['tells', 'silent'])(
    'a worker that dies in a call is a typed error, and the next call starts another: %s',
    (how) => {
      const env = { DEATH_MARK: join(folder, `${how}.mark`), DEATH: how }
      const result = run('death', { preload: './children/preload-dying-worker.ts', env })
      expect(result).toEqual({ code: 'ERR_ASHERAH_METASTORE', number: -103, text: 'payload' })
    },
    60_000,
  )
})
