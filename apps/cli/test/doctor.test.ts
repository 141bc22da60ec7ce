import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SEEDED_MASTER_KEY_HEX, SEEDED_PLAINTEXT } from '@asherah/testing/tools'
import { describe, expect, test, vi } from 'vitest'
import { runCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// Each test starts processes, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

const metastoreFlags = ['--metastore', 'sqlite://keys.db']

/** A folder with a metastore that the real command made: one system and one intermediate key. */
async function folderWithKeys(): Promise<string> {
  const cwd = tempFolder()
  writeFileSync(join(cwd, 'master.key'), SEEDED_MASTER_KEY_HEX, { mode: 0o600 })
  const flags = ['--service', 'crm', '--product', 'shop', '--master-key-file', 'master.key', ...metastoreFlags]
  const { code, stderr } = await runCli(['encrypt', '--record', '--partition', 'p', ...flags], {
    cwd,
    input: SEEDED_PLAINTEXT,
  })
  expect(code, stderr).toBe(0)
  return cwd
}

/** Every file of a folder, with its bytes and time. */
function contents(cwd: string): Readonly<Record<string, readonly [string, number]>> {
  return Object.fromEntries(
    readdirSync(cwd)
      .sort()
      .map((name) => [name, [readFileSync(join(cwd, name)).toString('base64'), statSync(join(cwd, name)).mtimeMs]]),
  )
}

function execute(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

describe('a sound metastore', () => {
  test('every part is reported, exit code 0, and nothing is written', async () => {
    const cwd = await folderWithKeys()
    const before = contents(cwd)
    const result = await runCli(['doctor', ...metastoreFlags, '--key-id', '_SK_crm_shop'], { cwd })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const text = result.stdout.toString()
    expect(text).toMatch(/^Memory protection on \S+\n {2}(pass|fail) {2}sodium /)
    expect(text).toMatch(/\n\nNative path\n {2}(pass|warn) {2}binary {2}\S/)
    expect(text).toMatch(/\n\nMetastore sqlite:\/\/keys\.db\n {2}pass {2}journal {3}the file is in WAL mode\n/)
    expect(text).toMatch(/\n {2}pass {2}json {6}2 rows can be read\n/)
    expect(text).toMatch(/\n {2}pass {2}latest {4}the latest of "_SK_crm_shop" was created \d+ \(20\d\d-\S+Z\)\n$/)
    expect(text).not.toContain('query:')
    expect(contents(cwd)).toEqual(before)
  })

  test('what a killed process left in the WAL is read, and stays where it is', async () => {
    const cwd = await folderWithKeys()
    const killed = join(cwd, 'killed')
    mkdirSync(killed)
    const database = new DatabaseSync(join(cwd, 'keys.db'))
    database.exec("DELETE FROM encryption_key WHERE id LIKE '\\_IK%' ESCAPE '\\'")
    for (const name of ['keys.db', 'keys.db-wal']) copyFileSync(join(cwd, name), join(killed, name))
    database.close()
    const before = contents(killed)
    expect(Object.keys(before)).toEqual(['keys.db', 'keys.db-wal'])
    const result = await runCli(['doctor', ...metastoreFlags], { cwd: killed })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.stdout.toString()).toContain('1 rows can be read')
    expect(contents(killed)).toMatchObject(before)
  })

  test('a warning does not change the exit code, and its query is printed', async () => {
    const cwd = await folderWithKeys()
    execute(join(cwd, 'keys.db'), 'PRAGMA journal_mode = DELETE')
    const before = contents(cwd)
    const result = await runCli(['doctor', ...metastoreFlags, '--key-id', '_SK_none'], { cwd })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.stdout.toString()).toMatch(
      /\n {2}warn {2}journal {3}the file is in delete mode[^\n]*\n +query: PRAGMA journal_mode\n/,
    )
    expect(result.stdout.toString()).toContain('warn  latest    there is no row of "_SK_none"')
    expect(contents(cwd)).toEqual(before)
  })
})

describe('a metastore that is not fit for use: exit code 1, and nothing is written', () => {
  test.each([
    [
      'a row that cannot be read',
      (path: string) => execute(path, "UPDATE encryption_key SET key_record = '{}' WHERE id LIKE '%SK%'"),
      /\n {2}fail {2}json {6}"_SK_crm_shop", created \d+: [^\n]+\n/,
    ],
    [
      'a time that is none, with the query that shows it',
      (path: string) => execute(path, "UPDATE encryption_key SET created = 'soon' WHERE id LIKE '%SK%'"),
      /\n {2}fail {2}created {3}1 rows have[^\n]+\n +query: SELECT id, created FROM "encryption_key"\n/,
    ],
    [
      'a file that is no database',
      (path: string) => writeFileSync(path, 'no database '.repeat(100)),
      /\n {2}fail {2}file {2}[^\n]*keys\.db: the file is not an SQLite database/,
    ],
    [
      'a damaged page of the table',
      (path: string) => {
        const database = new DatabaseSync(path)
        const page = Number(
          database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'encryption_key'").get()?.rootpage,
        )
        database.close()
        const bytes = readFileSync(path)
        bytes.fill(0xff, (page - 1) * 4096, page * 4096)
        writeFileSync(path, bytes)
      },
      /\n {2}fail {2}\w+ +[^\n]*damaged\n/,
    ],
  ])('%s', async (_, damage, finding) => {
    const cwd = await folderWithKeys()
    damage(join(cwd, 'keys.db'))
    const before = contents(cwd)
    const result = await runCli(['doctor', ...metastoreFlags], { cwd })
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/^asherah: the metastore is not fit for use: \d+ fails?\n$/)
    expect(result.stdout.toString()).toMatch(finding)
    expect(contents(cwd)).toEqual(before)
  })

  test.each(['none.db', 'no/none.db'])('D-069: a missing file, %s, is not made', async (path) => {
    const cwd = tempFolder()
    const result = await runCli(['doctor', '--metastore', `sqlite://${path}`], { cwd })
    expect(result).toMatchObject({ code: 1, stderr: 'asherah: the metastore is not fit for use: 1 fail\n' })
    expect(result.stdout.toString()).toContain(`  fail  file  there is no metastore '${path}': check --metastore\n`)
    expect(existsSync(join(cwd, path))).toBe(false)
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('--json', () => {
  test('one object with each part, of a sound metastore', async () => {
    const cwd = await folderWithKeys()
    const result = await runCli(['doctor', ...metastoreFlags, '--key-id', '_SK_crm_shop', '--json'], { cwd })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.stdout.toString().trimEnd()).not.toContain('\n')
    const report = JSON.parse(result.stdout.toString())
    expect(Object.keys(report)).toEqual(['ok', 'memory', 'native', 'metastore'])
    expect(report).toMatchObject({
      ok: true,
      memory: { ok: expect.any(Boolean), platform: `${process.platform}-${process.arch}` },
      native: { available: expect.any(Boolean), status: { attempts: expect.any(Array) } },
      metastore: { url: 'sqlite://keys.db', keyId: '_SK_crm_shop', ok: true },
    })
    for (const part of [report.memory, report.native, report.metastore]) {
      expect(part.findings.length).toBeGreaterThan(0)
      for (const finding of part.findings) {
        expect(finding).toEqual(expect.objectContaining({ check: expect.any(String), message: expect.any(String) }))
        expect(['pass', 'warn', 'fail']).toContain(finding.level)
      }
    }
  })

  test('a missing file: the same object, and exit code 1', async () => {
    const cwd = tempFolder()
    const { code, stdout } = await runCli(['doctor', ...metastoreFlags, '--json'], { cwd })
    expect(code).toBe(1)
    expect(JSON.parse(stdout.toString())).toMatchObject({
      ok: false,
      metastore: { ok: false, keyId: null, findings: [{ level: 'fail', check: 'file' }] },
    })
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('the native path is optional', () => {
  test.each([
    [{ ASHERAH_NATIVE_PATH: '/nowhere/x.node' }, 'ASHERAH_NATIVE_PATH /nowhere/x.node: there is no such file'],
    [{ ASHERAH_NATIVE: 'off' }, 'not looked for, as ASHERAH_NATIVE=off says'],
    [{ ASHERAH_NATIVE: 'of' }, "did you mean 'off'?"],
  ])('%j: a warning that says why, exit code 0', async (env: Readonly<Record<string, string>>, message) => {
    const result = await runCli(['doctor'], { cwd: tempFolder(), env })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const section = /\nNative path\n([\s\S]*?)\n\n/.exec(result.stdout.toString())?.[1]
    expect(section).toContain(message)
    expect(section).not.toMatch(/^ {2}(pass|fail)/m)
    expect(result.stdout.toString()).toMatch(/\nMetastore: not checked, [^\n]*\n$/)
  })
})

test.each([
  [['--key-id', '_SK_a'], /--key-id needs --metastore/],
  [['--key-id', '', ...metastoreFlags], /--key-id must be non-empty text/],
  [['--metastore', 'redis://u:pw@h/d'], /--metastore must be sqlite:\/\/PATH/],
  [['keys.db'], /too many arguments/],
])('bad options: doctor %j', async (args, message) => {
  const result = await runCli(['doctor', ...args], { cwd: tempFolder() })
  expect(result).toMatchObject({ code: 2, stdout: Buffer.alloc(0) })
  expect(result.stderr).toMatch(message)
  expect(result.stderr).toMatch(/^asherah: [^\n]*\n$/)
  expect(result.stderr).not.toContain('pw@')
})
