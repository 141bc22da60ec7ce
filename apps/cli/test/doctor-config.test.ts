import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { runCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// Each test starts processes, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

const accepted = {
  ServiceName: 's',
  ProductID: 'p',
  Metastore: 'rdbms',
  ConnectionString: 'app:hunter2@tcp(db.example:3306)/keys?tls=true',
  KMS: 'static',
  StaticMasterKeyHex: `${'a1'.repeat(31)}b2`,
  EnableSessionCaching: true,
}

async function review(config: object): Promise<{ code: number | null; text: string }> {
  const cwd = tempFolder()
  writeFileSync(join(cwd, 'old.json'), JSON.stringify(config))
  const { code, stdout, stderr } = await runCli(['doctor', '--config', 'old.json'], { cwd })
  return { code, text: stdout.toString() + stderr }
}

test('an old config that is accepted: what changes is told, exit code 0', async () => {
  const { code, text } = await review(accepted)
  expect(text).toContain('Config\n  warn  KMS  3.x used a public key for static')
  expect(text).not.toContain('hunter2')
  expect(code, text).toBe(0)
})

test('an old config that is refused: everything that is, with what to write, exit code 1', async () => {
  const { code, text } = await review({ ...accepted, ExpireAfter: 7_776_000_000_000_000, DynamoDBTablename: 't' })
  expect(text).toContain('fail  ExpireAfter')
  expect(text).toContain('write 7776000')
  expect(text).toContain('did you mean DynamoDBTableName?')
  expect(text).toContain('the config is refused: 2 fails')
  expect(text).not.toContain('hunter2')
  expect(code).toBe(1)
})
