import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
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

interface Reviewed {
  readonly code: number | null
  readonly text: string
  /** The lines under the title Config. */
  readonly lines: readonly string[]
}

async function review(config: object | string, flags: readonly string[] = [], cwd = tempFolder()): Promise<Reviewed> {
  writeFileSync(join(cwd, 'old.json'), typeof config === 'string' ? config : JSON.stringify(config))
  const { code, stdout, stderr } = await runCli(['doctor', '--config', 'old.json', ...flags], { cwd })
  const section = /^Config\n(.*?)\n\n/s.exec(stdout.toString())?.[1] ?? ''
  return { code, text: stdout.toString() + stderr, lines: section.split('\n') }
}

/** A folder of a program, with these packages as npm would put them. */
function programFolder(packages: Readonly<Record<string, string>>): string {
  const cwd = tempFolder()
  for (const [path, name] of Object.entries(packages)) {
    mkdirSync(join(cwd, 'node_modules', path), { recursive: true })
    writeFileSync(join(cwd, 'node_modules', path, 'package.json'), JSON.stringify({ name }))
  }
  return cwd
}

test('an old config that is accepted: what changes is told, exit code 0', async () => {
  const { code, text, lines } = await review(accepted)
  expect(lines).toEqual([
    '  warn  KMS       3.x used a public key for static whatever the config said; KMS test-debug-static reads what it wrote',
    '  warn  packages  @asherah/asherah is not installed in this folder: npm install asherah@npm:@asherah/asherah@^1',
  ])
  expect(text).not.toContain('hunter2')
  expect(text).not.toContain('a1a1')
  expect(code, text).toBe(0)
})

test('an old config that is refused: everything that is, with what to write, exit code 1', async () => {
  const { code, text, lines } = await review({
    ...accepted,
    ExpireAfter: 7_776_000_000_000_000,
    DynamoDBTablename: 't',
    EnableCanaries: 'hunter2',
  })
  expect(lines.slice(0, 3)).toEqual([
    expect.stringMatching(/^ {2}fail {2}ExpireAfter .*looks like nanoseconds.*: write 7776000$/),
    expect.stringContaining('did you mean DynamoDBTableName?'),
    expect.stringContaining('EnableCanaries is true or false, not a string'),
  ])
  expect(text).toContain('the config is refused: 3 fails')
  // Told once: as refused.
  expect(lines.filter((line) => line.includes(' ExpireAfter '))).toHaveLength(1)
  expect(text).not.toContain('hunter2')
  expect(code).toBe(1)
})

test('D-111 --json prints the findings and no value', async () => {
  const refused = { ...accepted, StaticMasterKeyHex: 'hunter2', EnableRegionSuffix: true, DisableZeroCopy: true }
  const { code, text } = await review(refused, ['--json'])
  const report = JSON.parse(text.slice(0, text.lastIndexOf('}') + 1))
  expect(report).toMatchObject({ ok: false, config: { ok: false }, metastore: null })
  const [first] = report.config.findings
  expect(first).toEqual({ level: 'fail', check: 'config', message: expect.stringContaining('EnableRegionSuffix') })
  expect(report.config.findings).toContainEqual(expect.objectContaining({ check: 'RecoveryRegionSuffixes' }))
  expect(text).not.toContain('hunter2')
  expect(code).toBe(1)
})

describe('what 3.x took without a word', () => {
  test.each([{}, { KMS: null }])('D-046 an absent KMS: %j', async (absent) => {
    const { code, lines } = await review({
      ServiceName: 's',
      ProductID: 'p',
      Metastore: 'memory',
      RegionMap: { a: 'b' },
      ...absent,
    })
    expect(lines).toContainEqual(expect.stringMatching(/fail .* KMS is missing, and there is no default/))
    expect(lines).toContainEqual(expect.stringMatching(/warn .* an absent KMS was aws: write "KMS": "aws"$/))
    expect(code).toBe(1)
  })

  test('D-046 the public key', async () => {
    const { code, lines } = await review({ ...accepted, StaticMasterKeyHex: null, KMS: 'test-debug-static' })
    expect(lines).toContainEqual(expect.stringMatching(/warn .* its key is public/))
    expect(code).toBe(0)
  })

  test('D-043 keys in a wrong case only', async () => {
    const { code, lines } = await review({ servicename: 's', productid: 'p', metastore: 'memory', kms: 'static' })
    expect(lines[0]).toContain('did you mean serviceName?')
    expect(code).toBe(1)
  })

  test('keys without effect', async () => {
    const { code, lines } = await review({ ...accepted, EnableCanaries: true, VaultToken: 'hunter2' })
    expect(lines).toContainEqual(expect.stringContaining('EnableCanaries has no effect'))
    expect(lines).toContainEqual(
      expect.stringContaining('VaultToken has no effect with Metastore rdbms and KMS static'),
    )
    expect(code).toBe(0)
  })
})

describe('D-123 the packages that a config needs', () => {
  test('the old package is still there', async () => {
    const { lines } = await review(accepted, [], programFolder({ asherah: 'asherah' }))
    expect(lines.at(-1)).toMatch(
      /warn {2}packages {2}asherah is still the old package in this folder: npm install asherah@npm:/,
    )
  })

  test('optional packages are missing', async () => {
    const cwd = programFolder({ asherah: '@asherah/asherah', '@asherah/kms-static': '@asherah/kms-static' })
    const { code, lines } = await review(accepted, [], cwd)
    expect(lines.slice(-2)).toEqual([
      '  warn  packages  @asherah/metastore-mysql is not installed: npm install @asherah/metastore-mysql',
      '  pass  packages  @asherah/kms-static is installed',
    ])
    expect(code).toBe(0)
  })

  test('they are where pnpm puts them: beside the package that needs them', async () => {
    const store = 'node_modules/.pnpm/asherah/node_modules'
    const cwd = tempFolder()
    for (const name of ['@asherah/asherah', '@asherah/metastore-mysql', '@asherah/kms-static']) {
      mkdirSync(join(cwd, store, name), { recursive: true })
      writeFileSync(join(cwd, store, name, 'package.json'), JSON.stringify({ name }))
    }
    symlinkSync(join(cwd, store, '@asherah/asherah'), join(cwd, 'node_modules/asherah'), 'junction')
    const { lines } = await review(accepted, [], cwd)
    expect(lines.slice(-2)).toEqual([
      '  pass  packages  @asherah/metastore-mysql is installed',
      '  pass  packages  @asherah/kms-static is installed',
    ])
  })
})

test('a text that is no JSON is one fail', async () => {
  const { code, lines } = await review('{"ServiceName": "hunter2"')
  expect(lines).toEqual(['  fail  config  the config is not JSON'])
  expect(code).toBe(1)
})

test("the command's own config is none of the library's", async () => {
  const { code, text } = await review({ metastore: 'sqlite://none.db', service: 's', product: 'p' })
  expect(text).not.toContain('Config\n')
  expect(text).toContain('Metastore sqlite://')
  expect(code).toBe(1)
})
