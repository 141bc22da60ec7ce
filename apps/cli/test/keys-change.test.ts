import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createStaticKms } from '@asherah/kms-static'
import { expect, test, vi } from 'vitest'
import { type CliResult, runCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// Each test starts processes, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

interface Row {
  readonly id: string
  readonly created: string
  readonly createdUnix: number
  readonly state: string
  readonly parent: { readonly created: string; readonly state: string } | null
  readonly uses: number | null
}

const config = { service: 'crm', product: 'shop', metastore: 'sqlite://keys.db', masterKeyFile: 'master.key' }

/** A folder with the records of two partitions. */
async function folderWithKeys(): Promise<string> {
  const cwd = tempFolder()
  writeFileSync(join(cwd, 'master.key'), randomBytes(32), { mode: 0o600 })
  writeFileSync(join(cwd, 'asherah.config.json'), JSON.stringify(config))
  for (const partition of ['acme', 'initech']) await encrypt(cwd, partition, `${partition}.json`)
  return cwd
}

async function encrypt(cwd: string, partition: string, output: string): Promise<void> {
  const args = ['encrypt', '--record', '--partition', partition, '-o', output, '--quiet']
  expect(await runCli(args, { cwd, input: `secret of ${partition}` })).toMatchObject({ code: 0, stderr: '' })
}

async function expectReadable(cwd: string): Promise<void> {
  for (const partition of ['acme', 'initech']) {
    const { stdout } = await runCli(['decrypt', `${partition}.json`, '--partition', partition, '--quiet'], { cwd })
    expect(stdout.toString()).toBe(`secret of ${partition}`)
  }
}

function lines<T>(result: CliResult): T[] {
  const text = result.stdout.toString().trimEnd()
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line))
}

async function keysOf(cwd: string): Promise<Row[]> {
  return lines<Row>(await runCli(['keys', 'list', '--json'], { cwd }))
}

/** Which intermediate key a record was written under. */
function parentOf(cwd: string, record: string): number {
  return JSON.parse(readFileSync(join(cwd, record), 'utf8')).Key.ParentKeyMeta.Created
}

test('rotate: new rows beside the old ones, which stay as they were; what follows uses the new ones', async () => {
  const cwd = await folderWithKeys()
  const before = await keysOf(cwd)
  const rotated = await runCli(['keys', 'rotate', '--system', '--partition', 'acme', '--json'], { cwd })
  expect(rotated).toMatchObject({ code: 0, stderr: expect.stringMatching(/^2 new keys; running processes/) })
  const [system, acme] = lines<Row & { readonly previousUnix: number }>(rotated)
  expect(system).toMatchObject({ id: '_SK_crm_shop', previousUnix: before[2]?.createdUnix })
  expect(acme).toMatchObject({ id: '_IK_acme_crm_shop', previousUnix: before[0]?.createdUnix })

  const after = await keysOf(cwd)
  expect(after.map(({ id }) => id)).toEqual([
    '_IK_acme_crm_shop',
    '_IK_acme_crm_shop',
    '_IK_initech_crm_shop',
    '_SK_crm_shop',
    '_SK_crm_shop',
  ])
  expect(after.every(({ state }) => state === 'valid')).toBe(true)
  expect(after[1]).toMatchObject({ createdUnix: acme?.createdUnix, parent: { created: system?.created } })
  expect([after[3]?.uses, after[4]?.uses]).toEqual([2, 1])

  await expectReadable(cwd)
  await encrypt(cwd, 'acme', 'new.json')
  expect(parentOf(cwd, 'new.json')).toBe(acme?.createdUnix)
  // An intermediate key that was not rotated goes on under the older system key, which is valid.
  await encrypt(cwd, 'initech', 'other.json')
  expect(parentOf(cwd, 'other.json')).toBe(before[1]?.createdUnix)
})

test('rotate --system makes a system key and nothing else; the first one too', async () => {
  const cwd = await folderWithKeys()
  const first = await runCli(['keys', 'rotate', '--system', '--service', 'new'], { cwd })
  expect(first.stdout.toString()).toMatch(/^_SK_new_shop {2}\S+Z {2}the first one\n$/)
  expect(await runCli(['keys', 'rotate', '--system'], { cwd })).toMatchObject({ code: 0 })
  expect((await keysOf(cwd)).map(({ id }) => id)).toEqual([
    '_IK_acme_crm_shop',
    '_IK_initech_crm_shop',
    '_SK_crm_shop',
    '_SK_crm_shop',
    '_SK_new_shop',
  ])
})

test('rotate --all-partitions: each partition of this service and product once', async () => {
  const cwd = await folderWithKeys()
  // The names of another service that could be read as a partition of this one.
  const other = ['encrypt', '--record', '--partition', 'p', '--service', 'x_crm', '-o', 'x.json', '--quiet']
  expect(await runCli(other, { cwd, input: 'x' })).toMatchObject({ code: 0 })
  const rotated = lines<Row>(await runCli(['keys', 'rotate', '--all-partitions', '--json'], { cwd }))
  expect(rotated.map(({ id }) => id)).toEqual(['_IK_acme_crm_shop', '_IK_initech_crm_shop'])
  const again = lines<Row>(await runCli(['keys', 'rotate', '--all-partitions', '--json'], { cwd }))
  expect(again.map(({ id, createdUnix }) => [id, createdUnix])).toEqual(
    rotated.map(({ id, createdUnix }) => [id, createdUnix + 1]),
  )
})

test('rotate with another master key: refused, and no row is made that nobody could open', async () => {
  const cwd = await folderWithKeys()
  const before = await keysOf(cwd)
  writeFileSync(join(cwd, 'other.key'), randomBytes(32), { mode: 0o600 })
  for (const what of [['--system'], ['--partition', 'acme']]) {
    const result = await runCli(['keys', 'rotate', ...what, '--master-key-file', 'other.key'], { cwd })
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/that the master key is the one/) })
  }
  expect((await keysOf(cwd)).map(({ createdUnix }) => createdUnix)).toEqual(
    before.map(({ createdUnix }) => createdUnix),
  )
})

test('another master key after a revocation, or of old keys: rotate and encrypt make no system key that others could not open', async () => {
  const cwd = await folderWithKeys()
  writeFileSync(join(cwd, 'other.key'), randomBytes(32), { mode: 0o600 })
  const [, , good] = await keysOf(cwd)
  const attempts = [
    ['keys', 'rotate', '--partition', 'acme'],
    ['keys', 'rotate', '--system'],
    ['encrypt', '--record', '--partition', 'new', '-o', 'new.json', '--quiet'],
  ]
  const other = ['--master-key-file', 'other.key']
  const refused = async (extra: readonly string[]): Promise<void> => {
    for (const args of attempts) {
      const result = await runCli([...args, ...other, ...extra], { cwd, input: 'x' })
      expect(result.code).toBe(1)
      expect(result.stderr).toMatch(/no new system key was made: the KMS does not open '_SK_crm_shop' of 2/)
    }
    expect((await keysOf(cwd)).length).toBe(3)
  }
  await new Promise((done) => setTimeout(done, 1_100))
  await refused(['--expire-after', '1s'])
  expect(await runCli(['keys', 'revoke', '--system', '--yes'], { cwd })).toMatchObject({ code: 0 })
  await refused([])

  // The way out of an accident that happened elsewhere: revoke the wrong key, and the right KMS is used again.
  const db = new DatabaseSync(join(cwd, 'keys.db'))
  const bad = createStaticKms({ masterKey: readFileSync(join(cwd, 'other.key')) })
  const record = {
    Created: (good?.createdUnix ?? 0) + 1,
    Key: Buffer.from(await bad.encryptKey(randomBytes(32))).toString('base64'),
  }
  db.prepare(
    'INSERT INTO encryption_key (id, created, key_record) SELECT id, ?, ? FROM encryption_key WHERE id = ?',
  ).run(new Date(record.Created * 1_000).toISOString(), JSON.stringify(record), '_SK_crm_shop')
  db.close()
  const stuck = await runCli(['keys', 'rotate', '--system'], { cwd })
  expect(stuck).toMatchObject({ code: 1, stderr: expect.stringMatching(/no new system key was made/) })
  expect(await runCli(['keys', 'revoke', '--system', '--yes'], { cwd })).toMatchObject({ code: 0 })
  expect(await runCli(['keys', 'rotate', '--system'], { cwd })).toMatchObject({ code: 0 })
  await encrypt(cwd, 'acme', 'after.json')
  await expectReadable(cwd)
})

test('revoke: shown first, done with --yes; D-014: the next encrypt leaves a revoked system key', async () => {
  const cwd = await folderWithKeys()
  const [, , system] = await keysOf(cwd)
  const shown = await runCli(['keys', 'revoke', '--system'], { cwd })
  expect(shown).toMatchObject({ code: 2, stderr: 'asherah: nothing was changed: add --yes to revoke\n' })
  expect(shown.stdout.toString()).toMatch(
    /^Would revoke 1 version of a system key\n {2}_SK_crm_shop {2}\S+Z {2}\d+[sm] {2}valid\n2 intermediate keys under it will encrypt no more \(valid now: 2\)\n {2}_IK_acme_crm_shop, _IK_initech_crm_shop\n/,
  )
  expect((await keysOf(cwd)).every(({ state }) => state === 'valid')).toBe(true)

  const done = await runCli(['keys', 'revoke', '_SK_crm_shop', '--created', system?.created ?? '', '--yes'], { cwd })
  expect(done).toMatchObject({ code: 0, stderr: '' })
  expect(done.stdout.toString()).toMatch(/^Revoked 1 version of a system key\n/)
  const after = await keysOf(cwd)
  expect(after.map(({ state, parent }) => [state, parent?.state])).toEqual([
    ['valid', 'revoked'],
    ['valid', 'revoked'],
    ['revoked', undefined],
  ])
  await expectReadable(cwd)
  await encrypt(cwd, 'acme', 'new.json')
  expect(parentOf(cwd, 'new.json')).toBeGreaterThan(parentOf(cwd, 'acme.json'))
  expect((await keysOf(cwd)).filter(({ id }) => id === '_SK_crm_shop').map(({ state }) => state)).toEqual([
    'revoked',
    'valid',
  ])
})

test('revoke --partition and --all-versions, as JSON; a key that is revoked already is left alone', async () => {
  const cwd = await folderWithKeys()
  expect(await runCli(['keys', 'rotate', '--partition', 'acme'], { cwd })).toMatchObject({ code: 0 })
  const latest = await runCli(['keys', 'revoke', '--partition', 'acme', '--yes', '--json'], { cwd })
  expect(latest).toMatchObject({ code: 0, stderr: '' })
  const [plan] = lines<{ readonly versions: readonly { readonly createdUnix: number }[] }>(latest)
  expect(plan).toMatchObject({
    id: '_IK_acme_crm_shop',
    kind: 'intermediate',
    done: true,
    intermediateKeys: { total: 1 },
  })
  const keys = await keysOf(cwd)
  expect(keys.slice(0, 2).map(({ state }) => state)).toEqual(['valid', 'revoked'])
  expect(plan?.versions.map(({ createdUnix }) => createdUnix)).toEqual([keys[1]?.createdUnix])
  const again = await runCli(['keys', 'revoke', '--partition', 'acme', '--yes'], { cwd })
  expect(again).toMatchObject({ code: 0, stdout: Buffer.from('_IK_acme_crm_shop is revoked already: nothing to do\n') })
  const all = await runCli(['keys', 'revoke', '_IK_acme_crm_shop', '--all-versions', '--yes'], { cwd })
  expect(all.stdout.toString()).toMatch(/^Revoked 1 version of an intermediate key\n/)
  expect((await keysOf(cwd)).slice(0, 3).map(({ state }) => state)).toEqual(['revoked', 'revoked', 'valid'])
  await expectReadable(cwd)
})

test('bad options: one line that says what is wrong, and nothing is changed', async () => {
  const cwd = await folderWithKeys()
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['rotate'], /say what to rotate/],
    [['rotate', '--partition', 'a', '--all-partitions'], /not both/],
    [['rotate', '--partition', ''], /partition/],
    [['revoke'], /say which key/],
    [
      ['revoke', '--system', '--master-key-file', 'master.key'],
      /needs no KMS or master key: leave out --master-key-file/,
    ],
    [['revoke', '--system', '--kms', 'static'], /needs no KMS or master key: leave out --kms/],
    [['revoke', '_SK_a', '--system'], /say which key/],
    [['revoke', '_SK_none', '--yes'], /has no key '_SK_none'/],
    [['revoke', '--system', '--created', '1', '--yes'], /no such version of a key '_SK_crm_shop'/],
    [['revoke', '--system', '--created', 'soon'], /--created must be a time/],
    [['revoke', '--system', '--created', '1', '--all-versions'], /not both/],
  ]
  for (const [args, message] of cases) {
    const result = await runCli(['keys', ...args], { cwd })
    expect(result.stderr).toMatch(message)
    expect(result.stderr).toMatch(/^asherah: [^\n]*\n$/)
    expect([2, 65]).toContain(result.code)
  }
  expect((await keysOf(cwd)).map(({ state }) => state)).toEqual(['valid', 'valid', 'valid'])
})
