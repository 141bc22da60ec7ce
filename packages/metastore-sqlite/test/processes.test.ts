import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { afterEach, expect, test } from 'vitest'
import { systemKey } from './records.ts'
import { temporaryFolder } from './temporary-folder.ts'

const folder = temporaryFolder()
const SCRIPT = fileURLToPath(new URL('children/writer.ts', import.meta.url))
/** Node before 22.18 strips types only when asked to. */
const STRIP_TYPES = process.features.typescript === 'strip' ? [] : ['--experimental-strip-types']

interface Acknowledged {
  readonly keyId: string
  readonly created: number
  readonly stored: boolean
}

interface Writer {
  readonly name: string
  readonly acknowledged: Acknowledged[]
  readonly ready: Promise<unknown>
  /** Settles when a first store was acknowledged. */
  readonly first: Promise<unknown>
  readonly ended: Promise<unknown>
  go(): void
  kill(): void
}

const children = new Set<ChildProcess>()
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

function isAcknowledged(value: unknown): value is Acknowledged {
  return typeof value === 'object' && value !== null && 'keyId' in value && 'created' in value && 'stored' in value
}

/** @param count 0: until it is killed. */
function startWriter(path: string, name: string, idPrefix: string, count: number): Writer {
  const flags = ['--conditions=asherah-source', '--no-warnings', ...STRIP_TYPES]
  const child = spawn(process.execPath, [...flags, SCRIPT, path, name, idPrefix, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.add(child)
  const acknowledged: Acknowledged[] = []
  const lines = createInterface({ input: child.stdout })
  const events = new EventEmitter()
  lines.on('line', (line) => {
    if (line === 'ready') return events.emit('ready')
    const value: unknown = JSON.parse(line)
    if (isAcknowledged(value)) acknowledged.push(value)
    events.emit('first')
  })
  return {
    name,
    acknowledged,
    ready: once(events, 'ready'),
    first: once(events, 'first'),
    // The lines, and not the exit: what the child wrote before it was killed is still in the pipe.
    ended: once(lines, 'close'),
    go: () => child.stdin.write('go\n'),
    kill: () => child.kill('SIGKILL'),
  }
}

function integrityOf(path: string): unknown {
  const database = new DatabaseSync(path)
  const result = database.prepare('PRAGMA integrity_check').all()
  database.close()
  return result
}

test('six processes that race on a new file make one row per key, and exactly one of them is told so (D-016, D-070)', async () => {
  const path = join(folder, 'race.db')
  const ROWS = 60
  const writers = Array.from({ length: 6 }, (_, i) => startWriter(path, `writer ${i}`, '_SK_race', ROWS))
  await Promise.all(writers.map((writer) => writer.ready))
  for (const writer of writers) writer.go()
  await Promise.all(writers.map((writer) => writer.ended))

  const metastore = createSqliteMetastore({ path })
  const wins = writers.flatMap(({ name, acknowledged }) =>
    acknowledged.filter((a) => a.stored).map((a) => ({ ...a, name })),
  )
  expect(writers.map(({ acknowledged }) => acknowledged.length)).toEqual(writers.map(() => ROWS))
  expect(wins).toHaveLength(ROWS)
  for (const { keyId, created, name } of wins) {
    expect(await metastore.load(keyId, created)).toEqual(systemKey(keyId, created, name))
  }
  let rows = 0
  for await (const _ of metastore.list()) rows += 1
  expect(rows).toBe(ROWS)
  expect((await metastore.check()).ok).toBe(true)
  await metastore.close()
  expect(integrityOf(path)).toEqual([{ integrity_check: 'ok' }])
})

test('kill -9 of writing processes, at random points, loses nothing that was acknowledged', async () => {
  const path = join(folder, 'kill.db')
  const acknowledged: (Acknowledged & { readonly name: string })[] = []
  for (let round = 0; round < 5; round++) {
    const writers = ['a', 'b'].map((name) => startWriter(path, `${name}${round}`, `_SK_${name}${round}_`, 0))
    await Promise.all(writers.map((writer) => writer.ready))
    for (const writer of writers) writer.go()
    for (const writer of writers) {
      // In the first round the kill may come while the file, its WAL and its table are made.
      if (round > 0) await writer.first
      await new Promise((resolve) => setTimeout(resolve, round === 0 ? 1 : Math.random() * 150))
      writer.kill()
      await writer.ended
      acknowledged.push(...writer.acknowledged.map((a) => ({ ...a, name: writer.name })))
    }
    const metastore = createSqliteMetastore({ path })
    for (const { keyId, created, stored, name } of acknowledged) {
      expect(stored).toBe(true)
      expect(await metastore.load(keyId, created)).toEqual(systemKey(keyId, created, name))
    }
    expect((await metastore.check()).ok).toBe(true)
    await metastore.close()
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(8)
  expect(integrityOf(path)).toEqual([{ integrity_check: 'ok' }])
})
