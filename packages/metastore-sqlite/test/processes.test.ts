import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SessionFactory } from '@asherah/core'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { createFakeClock } from '@asherah/testing/tools'
import { expect, test } from 'vitest'
import { type Child, startChild } from './child-process.ts'
import { localKms } from './local-kms.ts'
import { systemKey } from './records.ts'
import { temporaryFolder } from './temporary-folder.ts'

const folder = temporaryFolder()
const WRITER = new URL('./children/writer.ts', import.meta.url)
const ENCRYPTER = new URL('./children/encrypter.ts', import.meta.url)

interface Acknowledged {
  readonly keyId: string
  readonly created: number
  readonly stored: boolean
}

function acknowledgedBy(child: Child): Acknowledged[] {
  return child.lines.filter((line) => line.startsWith('{')).map((line): Acknowledged => JSON.parse(line))
}

interface Encrypted {
  readonly partition: string
  readonly text: string
  readonly plaintext: string
}

function encryptedBy(child: Child): Encrypted[] {
  return child.lines.filter((line) => line.startsWith('{')).map((line): Encrypted => JSON.parse(line))
}

function query(path: string, sql: string): unknown[] {
  const database = new DatabaseSync(path)
  const rows = database.prepare(sql).all()
  database.close()
  return rows
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('six processes that race on a new file make one row per key, and exactly one of them is told so (D-016, D-070)', async () => {
  const path = join(folder, 'race.db')
  const ROWS = 60
  const writers = Array.from({ length: 6 }, (_, i) => ({
    name: `writer ${i}`,
    child: startChild(WRITER, [path, `writer ${i}`, '_SK_race', String(ROWS)]),
  }))
  await Promise.all(writers.map(({ child }) => child.printed('ready')))
  for (const { child } of writers) child.send('go')
  await Promise.all(writers.map(({ child }) => child.end()))

  const metastore = createSqliteMetastore({ path })
  const answers = writers.map(({ name, child }) => acknowledgedBy(child).map((a) => ({ ...a, name })))
  expect(answers.map(({ length }) => length)).toEqual(writers.map(() => ROWS))
  const wins = answers.flat().filter(({ stored }) => stored)
  expect(wins).toHaveLength(ROWS)
  for (const { keyId, created, name } of wins) {
    expect(await metastore.load(keyId, created)).toEqual(systemKey(keyId, created, name))
  }
  expect(query(path, 'SELECT count(*) AS rows FROM encryption_key')).toEqual([{ rows: ROWS }])
  expect((await metastore.check()).ok).toBe(true)
  await metastore.close()
  expect(query(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
})

test('kill -9 of writing processes, at random points, loses nothing that was acknowledged', async () => {
  const path = join(folder, 'kill.db')
  const acknowledged: (Acknowledged & { readonly name: string })[] = []
  for (let round = 0; round < 5; round++) {
    const names = ['a', 'b'].map((letter) => `${letter}${round}`)
    const writers = names.map((name) => ({ name, child: startChild(WRITER, [path, name, `_SK_${name}_`, '0']) }))
    await Promise.all(writers.map(({ child }) => child.printed('ready')))
    for (const { child } of writers) child.send('go')
    for (const { name, child } of writers) {
      // In the first round the kill may come while the file, its WAL and its table are made.
      if (round > 0) await child.printed(/^\{/)
      await sleep(round === 0 ? 1 : Math.random() * 150)
      await child.kill()
      acknowledged.push(...acknowledgedBy(child).map((a) => ({ ...a, name })))
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
  expect(query(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
})

const START = Date.UTC(2026, 0, 1)
const DAY = 86_400_000

async function decryptAll(path: string, records: readonly Encrypted[], now: number): Promise<void> {
  const metastore = createSqliteMetastore({ path })
  const clock = createFakeClock({ now })
  const factory = new SessionFactory({ service: 'service', product: 'product', metastore, kms: localKms(), clock })
  for (const { partition, text, plaintext } of records) {
    const session = factory.getSession(partition)
    expect(new TextDecoder().decode(await session.decrypt(text))).toBe(plaintext)
    session.close()
  }
  await factory.close()
  await metastore.close()
}

test('four processes that encrypt at once make one SK and one IK per partition, at each rotation (D-016)', async () => {
  const path = join(folder, 'rotation.db')
  const children = Array.from({ length: 4 }, (_, i) => startChild(ENCRYPTER, [path, `process ${i}`]))
  await Promise.all(children.map((child) => child.printed('ready')))
  const ROTATIONS = 4
  for (let rotation = 0; rotation < ROTATIONS; rotation++) {
    for (const child of children) child.send(String(START + rotation * 91 * DAY))
    await Promise.all(children.map((child) => child.printed('done', rotation + 1)))
    const counts = query(
      path,
      'SELECT substr(id, 1, 5) AS kind, count(*) AS keys FROM encryption_key GROUP BY kind ORDER BY kind',
    )
    expect(counts).toEqual([
      { kind: '_IK_a', keys: rotation + 1 },
      { kind: '_IK_b', keys: rotation + 1 },
      { kind: '_IK_c', keys: rotation + 1 },
      { kind: '_SK_s', keys: rotation + 1 },
    ])
  }
  await Promise.all(children.map((child) => child.end()))
  const records = children.flatMap(encryptedBy)
  expect(records).toHaveLength(4 * ROTATIONS * 6)
  await decryptAll(path, records, START + ROTATIONS * 91 * DAY)
})

test('kill -9 of processes that encrypt and rotate leaves every record that was given out readable', async () => {
  const path = join(folder, 'rotation-kill.db')
  const records: Encrypted[] = []
  let now = START
  for (let round = 0; round < 4; round++) {
    const children = Array.from({ length: 2 }, (_, i) => startChild(ENCRYPTER, [path, `process ${round}.${i}`]))
    await Promise.all(children.map((child) => child.printed('ready')))
    for (let rotation = 0; rotation < 40; rotation++) {
      now += 91 * DAY
      for (const child of children) child.send(String(now))
    }
    for (const child of children) {
      await child.printed(/^\{/)
      await sleep(Math.random() * 60)
      await child.kill()
      records.push(...encryptedBy(child))
    }
  }
  expect(records.length).toBeGreaterThanOrEqual(8)
  await decryptAll(path, records, now)
  expect(query(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
})
