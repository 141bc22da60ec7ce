import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SEEDED_MASTER_KEY_HEX } from '@asherah/testing/tools'
import { expect, test } from 'vitest'
import { runCli, startCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

const flags = ['--field', 'email', '--partition-field', 'tenant']

/** Enough rows that a run takes some seconds: it has to be alive when it is killed. */
function workFolder(rows: number): { readonly cwd: string; readonly csv: string } {
  const cwd = tempFolder()
  writeFileSync(join(cwd, 'master.key'), SEEDED_MASTER_KEY_HEX, { mode: 0o600 })
  const config = { service: 's', product: 'p', metastore: 'sqlite://keys.db', masterKeyFile: 'master.key' }
  writeFileSync(join(cwd, 'asherah.config.json'), JSON.stringify(config))
  const lines = Array.from(
    { length: rows },
    (_, row) => `${row},t${(row * 7) % 50},user${row}@x.com,"some ""text""\n${row}"\n`,
  )
  const csv = `id,tenant,email,note\n${lines.join('')}`
  writeFileSync(join(cwd, 'a.csv'), csv)
  return { cwd, csv }
}

/** Kills the child once the journal says that some rows are certain. @returns those rows. */
async function killWhenUnderWay(
  child: ReturnType<typeof startCli>,
  journal: string,
  signal: NodeJS.Signals,
  after = 0,
) {
  const exited = once(child, 'exit')
  for (;;) {
    if (child.exitCode !== null) throw new Error('the run ended before it could be killed: give it more to do')
    const rows = existsSync(journal) ? JSON.parse(readFileSync(journal, 'utf8')).position.rows : 0
    if (rows > after) break
    await sleep(5)
  }
  child.kill(signal)
  const [code, killedBy] = await exited
  return { code, killedBy, rows: Number(JSON.parse(readFileSync(journal, 'utf8')).position.rows) }
}

test('kill -9 twice, then --resume: the same bytes as of a run that was left alone', { timeout: 120_000 }, async () => {
  const { cwd, csv } = workFolder(60_000)
  const journal = join(cwd, 'e.csv.asherah-journal')
  const first = await killWhenUnderWay(
    startCli(['encrypt', 'a.csv', ...flags, '-o', 'e.csv'], { cwd }),
    journal,
    'SIGKILL',
  )
  expect(first).toMatchObject({ killedBy: 'SIGKILL' })
  expect(existsSync(join(cwd, 'e.csv'))).toBe(false)

  const again = startCli(['encrypt', 'a.csv', ...flags, '-o', 'e.csv', '--resume'], { cwd })
  const second = await killWhenUnderWay(again, journal, 'SIGKILL', first.rows)
  expect(second).toMatchObject({ killedBy: 'SIGKILL' })
  expect(second.rows).toBeGreaterThan(first.rows)

  const refused = await runCli(['encrypt', 'a.csv', ...flags, '-o', 'e.csv'], { cwd })
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--resume goes on with it, --force starts over/),
  })

  const other = await runCli(
    ['encrypt', 'a.csv', '--field', 'note', '--partition-field', 'tenant', '-o', 'e.csv', '--resume'],
    { cwd },
  )
  expect(other).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/cannot resume with another field: it was 'email' and is now 'note'/),
  })

  const last = await runCli(['encrypt', 'a.csv', ...flags, '-o', 'e.csv', '--resume', '--json'], { cwd })
  expect(last.code, last.stderr).toBe(0)
  expect(JSON.parse(last.stdout.toString())).toMatchObject({
    rows: 60_000,
    values: 60_000,
    resumedAtRow: second.rows,
  })

  const decrypted = await runCli(['decrypt', 'e.csv', ...flags], { cwd })
  expect(decrypted.stdout.toString() === csv).toBe(true)
  expect(readdirSync(cwd).sort()).toEqual(['a.csv', 'asherah.config.json', 'e.csv', 'keys.db', 'master.key'])
})

test('D-115: a chunked file resumes in both directions; SIGTERM keeps what is done, and says so', {
  timeout: 120_000,
}, async () => {
  const { cwd } = workFolder(1)
  const data = randomBytes(15_000_000)
  writeFileSync(join(cwd, 'data'), data)
  const encrypt = ['encrypt', 'data', '--partition', 'p', '--chunk-size', '256', '-o', 'e']
  const child = startCli(encrypt, { cwd })
  let stderr = ''
  child.stderr?.on('data', (chunk) => (stderr += chunk))
  const stopped = await killWhenUnderWay(child, join(cwd, 'e.asherah-journal'), 'SIGTERM')
  expect(stopped).toMatchObject({ code: 143 })
  expect(stderr).toBe('asherah: what was done so far is kept: run again with --resume to go on\nasherah: interrupted\n')
  const encrypted = await runCli([...encrypt, '--resume'], { cwd })
  expect(encrypted.code, encrypted.stderr).toBe(0)

  const decrypt = ['decrypt', 'e', '--partition', 'p', '-o', 'd']
  await killWhenUnderWay(startCli(decrypt, { cwd }), join(cwd, 'd.asherah-journal'), 'SIGKILL')
  const decrypted = await runCli([...decrypt, '--resume'], { cwd })
  expect(decrypted.code, decrypted.stderr).toBe(0)
  expect(readFileSync(join(cwd, 'd')).equals(data)).toBe(true)
})
