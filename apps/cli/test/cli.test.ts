import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { csvFile } from './generate-csv.ts'
import { runCli, startCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// Each test starts processes, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

const config = { service: 'crm', product: 'shop', metastore: 'sqlite://keys.db', masterKeyFile: 'master.key' }
const customers = 'id,tenant,email,note\r\n1,t1,ann@x.com,"a, ""b""\n2"\r\n2,t2,"bob@x.com",\r\n3,t1,,x'

/** A folder with a master key and a config file. */
function workFolder(): string {
  const cwd = tempFolder()
  writeFileSync(join(cwd, 'master.key'), randomBytes(32), { mode: 0o600 })
  writeFileSync(join(cwd, 'asherah.config.json'), JSON.stringify(config))
  writeFileSync(join(cwd, 'a.csv'), customers)
  return cwd
}

const csvFlags = ['--field', 'email', '--field', 'note', '--partition-field', 'tenant']

describe('round trips of the real command', () => {
  test('CSV, as the README has it: all flags, no config file', async () => {
    const cwd = workFolder()
    const flags = [
      ...csvFlags,
      '--service',
      's',
      '--product',
      'p',
      '--metastore',
      'sqlite://k.db',
      '--master-key-file',
      'master.key',
    ]
    const encrypted = await runCli(['encrypt', 'a.csv', ...flags, '-o', 'e.csv', '--json'], { cwd })
    expect(encrypted).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(encrypted.stdout.toString())).toMatchObject({
      command: 'encrypt',
      format: 'csv',
      input: 'a.csv',
      output: 'e.csv',
      rows: 3,
      values: 6,
      bytesIn: Buffer.byteLength(customers),
      bytesOut: statSync(join(cwd, 'e.csv')).size,
      partitions: 2,
      partitionsExact: true,
      keysCreated: { system: 1, intermediate: 2 },
      resumedAtRow: 0,
    })
    expect(readFileSync(join(cwd, 'e.csv'), 'utf8')).not.toMatch(/@x\.com/)
    const decrypted = await runCli(['decrypt', 'e.csv', ...flags, '-o', 'd.csv'], { cwd })
    expect(decrypted).toMatchObject({ code: 0, stdout: Buffer.alloc(0) })
    expect(decrypted.stderr).toMatch(/^decrypted 6 values in 3 rows: e.csv -> d.csv\n/)
    expect(readFileSync(join(cwd, 'd.csv'), 'utf8')).toBe(customers)
    expect(statSync(join(cwd, 'd.csv')).mode & 0o777).toBe(0o600)
    expect(readdirSync(cwd).filter((name) => name.includes('asherah-'))).toEqual([])
  })

  test('CSV of any content, through pipes', async () => {
    const cwd = workFolder()
    await fc.assert(
      fc.asyncProperty(csvFile({ maxRows: 40 }), async ({ text, delimiter }) => {
        const flags = [
          '--format',
          'csv',
          '--delimiter',
          delimiter,
          '--field',
          'secret',
          '--field',
          'größe',
          '--partition-field',
          'tenant',
        ]
        const encrypted = await runCli(['encrypt', ...flags], { cwd, input: text })
        expect(encrypted.code, encrypted.stderr).toBe(0)
        const decrypted = await runCli(['decrypt', ...flags], { cwd, input: encrypted.stdout })
        expect(decrypted.stdout.toString()).toBe(text)
      }),
      { numRuns: 4 },
    )
  })

  test('a file without rows makes no metastore, and needs none', async () => {
    const cwd = workFolder()
    const encrypted = await runCli(['encrypt', '--format', 'csv', ...csvFlags], { cwd, input: 'email,note,tenant' })
    expect(encrypted.stdout.toString()).toBe('email,note,tenant')
    const decrypted = await runCli(['decrypt', '--format', 'csv', ...csvFlags], { cwd, input: encrypted.stdout })
    expect(decrypted.stdout.toString()).toBe('email,note,tenant')
    expect(existsSync(join(cwd, 'keys.db'))).toBe(false)
  })

  test('D-091: JSONL, numbers digit by digit', async () => {
    const cwd = workFolder()
    const text = '{"tenant":7,"n":1.0,"x":null}\r\n\n{"x":{"a":[1e2]},"n":12345678901234567890,"tenant":7}'
    const flags = ['--format', 'jsonl', '--field', 'n', '--field', 'x', '--partition-field', 'tenant']
    const encrypted = await runCli(['encrypt', '-', ...flags], { cwd, input: text })
    expect(JSON.parse(encrypted.stdout.toString().split('\n')[0] ?? '').n).toHaveProperty(
      'Key.ParentKeyMeta.KeyId',
      '_IK_7_crm_shop',
    )
    const decrypted = await runCli(['decrypt', '-', ...flags], { cwd, input: encrypted.stdout })
    expect(decrypted.stdout.toString()).toBe(text)
  })

  test('a file of many chunks, an empty one, and a bare record', async () => {
    const cwd = workFolder()
    const data = Buffer.alloc(100_000, 'abcdefghijk')
    const chunks = await runCli(['encrypt', '--partition', 'p', '--chunk-size', '1KiB'], { cwd, input: data })
    expect(chunks.stdout.toString().trimEnd().split('\n')).toHaveLength(99)
    const record = await runCli(['encrypt', '--partition', 'p', '--record'], { cwd, input: data })
    expect(JSON.parse(record.stdout.toString())).toHaveProperty('Key.ParentKeyMeta.KeyId', '_IK_p_crm_shop')
    for (const encrypted of [chunks, record]) {
      const decrypted = await runCli(['decrypt', '--partition', 'p'], { cwd, input: encrypted.stdout })
      expect(decrypted.stdout.equals(data)).toBe(true)
    }
    const empty = await runCli(['encrypt', '--partition', 'p'], { cwd })
    expect(await runCli(['decrypt', '--partition', 'p'], { cwd, input: empty.stdout })).toMatchObject({
      code: 0,
      stdout: Buffer.alloc(0),
    })
  })
})

test('settings: flags before variables before the config file, all the way', async () => {
  const cwd = workFolder()
  const keyId = async (flags: string[], env: Record<string, string>) => {
    const { stdout } = await runCli(['encrypt', '--record', '--partition', 'p', ...flags], { cwd, env, input: 'x' })
    return JSON.parse(stdout.toString()).Key.ParentKeyMeta.KeyId
  }
  expect(await keyId([], {})).toBe('_IK_p_crm_shop')
  expect(await keyId([], { ASHERAH_SERVICE: 'env' })).toBe('_IK_p_env_shop')
  expect(await keyId(['--service', 'flag'], { ASHERAH_SERVICE: 'env' })).toBe('_IK_p_flag_shop')
})

describe('errors: one line that says what to do, nothing published', () => {
  test('bad input: line, column, exit code 65', async () => {
    const cwd = workFolder()
    writeFileSync(join(cwd, 'bad.csv'), 'tenant,email\nt,a\nt,"b\n')
    const result = await runCli(
      ['encrypt', 'bad.csv', '--field', 'email', '--partition-field', 'tenant', '-o', 'out.csv'],
      { cwd },
    )
    expect(result).toMatchObject({ code: 65, stderr: 'asherah: line 3, column 3: this quote is never closed\n' })
    expect(readdirSync(cwd).filter((name) => name.startsWith('out.csv'))).toEqual([])
    const jsonl = await runCli(['encrypt', '--format', 'jsonl', '--field', 'a', '--partition', 'p'], {
      cwd,
      input: '{"a":1}\n{"a":x}',
    })
    expect(jsonl).toMatchObject({ code: 65, stderr: 'asherah: line 2, column 6: bad JSON: invalid symbol\n' })
  })

  test('another master key', async () => {
    const cwd = workFolder()
    await runCli(['encrypt', 'a.csv', ...csvFlags, '-o', 'e.csv'], { cwd })
    await runCli(['keygen', 'other.key'], { cwd })
    const result = await runCli(['decrypt', 'e.csv', ...csvFlags, '--master-key-file', 'other.key', '-o', 'd.csv'], {
      cwd,
    })
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/^asherah: line 2, column 6, field 'email': .*master key[^\n]*\n$/)
    expect(existsSync(join(cwd, 'd.csv'))).toBe(false)
  })

  test('another partition', async () => {
    const cwd = workFolder()
    await runCli(['encrypt', 'a.csv', ...csvFlags, '-o', 'e.csv'], { cwd })
    writeFileSync(join(cwd, 'e2.csv'), readFileSync(join(cwd, 'e.csv'), 'utf8').replace('1,t1,', '1,t2,'))
    const result = await runCli(['decrypt', 'e2.csv', ...csvFlags, '-o', 'd.csv'], { cwd })
    expect(result.code).toBe(65)
    expect(result.stderr).toMatch(
      /^asherah: line 2, column 6, field 'email': .*check the partition, --service and --product\n$/,
    )
  })

  test('D-069: another metastore, or none, is an error; nothing falls back or is made', async () => {
    const cwd = workFolder()
    await runCli(['encrypt', 'a.csv', ...csvFlags, '-o', 'e.csv'], { cwd })
    const none = await runCli(['decrypt', 'e.csv', ...csvFlags, '--metastore', 'sqlite://none.db'], { cwd })
    expect(none).toMatchObject({ code: 1, stderr: "asherah: there is no metastore 'none.db': check --metastore\n" })
    expect(existsSync(join(cwd, 'none.db'))).toBe(false)
    await runCli(['encrypt', '--partition', 'p', '--metastore', 'sqlite://other.db'], { cwd })
    const other = await runCli(['decrypt', 'e.csv', ...csvFlags, '--metastore', 'sqlite://other.db'], { cwd })
    expect(other.code).toBe(1)
    expect(other.stderr).toMatch(/^asherah: line 2, .*check --metastore, --service and --product\n$/)
  })

  test('outputs that would destroy something', async () => {
    const cwd = workFolder()
    writeFileSync(join(cwd, 'keys.db'), '')
    for (const [output, what] of [
      ['./a.csv', 'the input'],
      ['keys.db', 'the metastore'],
      ['master.key', 'the master key file'],
      ['asherah.config.json', 'the config file'],
    ] as const) {
      const result = await runCli(['encrypt', 'a.csv', ...csvFlags, '-o', output, '--force'], { cwd })
      expect(result).toMatchObject({ code: 2, stderr: `asherah: -o '${output}' is ${what}: give another output\n` })
    }
    expect(readFileSync(join(cwd, 'a.csv'), 'utf8')).toBe(customers)
  })

  test.each([
    [['encrypt', 'none.csv', ...csvFlags], 1, /cannot read 'none.csv': no such file or folder/],
    [['encrypt', '.', '--partition', 'p'], 1, /cannot read '.': it is a folder/],
    [['encrypt', 'a.csv', ...csvFlags, '-o', 'no/e.csv'], 1, /cannot write 'no\/e.csv'/],
    [['encrypt', 'a.csv', ...csvFlags, '--metastore', 'redis://u:pw@h/d'], 2, /--metastore must be sqlite:\/\/PATH/],
    [['encrypt', 'a.csv', '--resume', ...csvFlags], 2, /--resume needs an output file/],
    [['encrypt', '-', '-o', 'x', '--resume', '--partition', 'p'], 2, /--resume needs an input file/],
    [['encrypt', 'a.csv', '-o', 'x', '--resume', '--force', ...csvFlags], 2, /not both/],
    [['encrypt', '--feild', 'x'], 2, /unknown option '--feild' \(Did you mean --field\?\)/],
    [['encrypt', '--nothing=S3CRET'], 2, /unknown option '--nothing'/],
    [['encrypt', '--master-key-hex', 'S3CRET'], 2, /never an argument/],
    [['encrypt', '--master-key=S3CRET'], 2, /never an argument/],
    [['encrypt', 'a', 'b'], 2, /too many arguments/],
    [['encrpyt'], 2, /unknown command 'encrpyt' \(Did you mean encrypt\?\)/],
    [['encrypt', '--record', '--format', 'csv'], 2, /give one of them/],
    [['keys', 'list', '--limit', '0'], 2, /--limit must be/],
    [['demo', '--rows', '5'], 2, /--rows must be/],
    [['keygen', 'master.key'], 2, /exists already/],
  ])('%j', async (args, code, message) => {
    const result = await runCli(args, { cwd: workFolder() })
    expect(result.code).toBe(code)
    expect(result.stderr).toMatch(message)
    expect(result.stderr).toMatch(/^asherah: [^\n]*\n$/)
    expect(result.stderr).not.toMatch(/S3CRET|pw@/)
    expect(result.stdout).toHaveLength(0)
  })

  test('--debug adds stacks and causes', async () => {
    const cwd = workFolder()
    const result = await runCli(['encrypt', 'none.csv', ...csvFlags, '--debug'], { cwd })
    expect(result.stderr).toMatch(
      /^asherah: cannot read[^\n]*\nFileError: [\s\S]*\n {4}at [\s\S]*caused by Error: ENOENT/,
    )
  })

  test('no command: the help, and exit code 2', async () => {
    const result = await runCli([], { cwd: tempFolder() })
    expect(result).toMatchObject({ code: 2, stdout: Buffer.alloc(0) })
    expect(result.stderr).toMatch(/^Usage: asherah/)
    expect(await runCli(['--help'], { cwd: tempFolder() })).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('pipes and signals', () => {
  test('data on standard output: the summary goes to standard error, as JSON too, or nowhere', async () => {
    const cwd = workFolder()
    const json = await runCli(['encrypt', '--partition', 'p', '--json'], { cwd, input: 'x' })
    expect(JSON.parse(json.stderr)).toMatchObject({ input: '-', output: '-', rows: 1 })
    expect(json.stdout.toString()).toMatch(/^\{"asherahFile":1/)
    expect((await runCli(['encrypt', '--partition', 'p', '--quiet'], { cwd, input: 'x' })).stderr).toBe('')
  })

  test('a reader that goes away: no message, exit code 141', async () => {
    const cwd = workFolder()
    const child = startCli(['encrypt', '--partition', 'p'], { cwd })
    let stderr = ''
    child.stderr?.on('data', (chunk) => (stderr += chunk))
    child.stdin?.on('error', () => undefined)
    const feed = setInterval(() => child.stdin?.writable && child.stdin.write(Buffer.alloc(200_000)), 5)
    if (child.stdout === null) throw new Error('no pipe')
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const [code] = await once(child, 'exit')
    clearInterval(feed)
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' })
  })

  test('D-115: Ctrl-C: exit code 130, and nothing is left, even while a pipe is silent', async () => {
    const cwd = workFolder()
    const child = startCli(['encrypt', '--partition', 'p', '-o', 'out'], { cwd })
    let stderr = ''
    child.stderr?.on('data', (chunk) => (stderr += chunk))
    child.stdin?.write('some data')
    for (let tries = 0; !existsSync(join(cwd, 'out.asherah-partial')) && tries < 500; tries++) await sleep(20)
    await sleep(100)
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'asherah: interrupted\n' })
    expect(readdirSync(cwd).filter((name) => name.startsWith('out'))).toEqual([])
  })

  test('a device is written to as it is', async () => {
    const cwd = workFolder()
    const result = await runCli(['encrypt', 'a.csv', ...csvFlags, '-o', '/dev/null'], { cwd })
    expect(result.code, result.stderr).toBe(0)
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
  })
})

test('keys of a metastore that is not there: an error, and none is made', async () => {
  const cwd = workFolder()
  expect(await runCli(['keys', 'list'], { cwd })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/there is no metastore/),
  })
  expect(existsSync(join(cwd, 'keys.db'))).toBe(false)
})

test('keygen makes a key file for its owner only', async () => {
  const cwd = tempFolder()
  const result = await runCli(['keygen', 'new.key'], { cwd })
  expect(result).toMatchObject({ code: 0, stdout: Buffer.alloc(0) })
  const text = readFileSync(join(cwd, 'new.key'), 'utf8')
  expect(text).toMatch(/^[0-9a-f]{64}\n$/)
  expect(result.stderr).not.toContain(text.slice(0, 8))
  expect(statSync(join(cwd, 'new.key')).mode & 0o777).toBe(0o600)
})

describe('keys', () => {
  test('list and show: ids, times, states, and no key bytes', async () => {
    const cwd = workFolder()
    await runCli(['encrypt', 'a.csv', ...csvFlags, '-o', 'e.csv'], { cwd })
    const table = await runCli(['keys', 'list'], { cwd })
    expect(table).toMatchObject({ code: 0, stderr: '3 keys\n' })
    const lines = table.stdout.toString().trimEnd().split('\n')
    expect(lines[0]).toMatch(/^ID +CREATED +AGE +STATE +PARENT +USES$/)
    expect(lines[1]).toMatch(
      /^_IK_t1_crm_shop {2}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}\d+[sm] +valid {2}_SK_crm_shop \d{4}-.*Z {2}-$/,
    )
    expect(lines[3]).toMatch(/^_SK_crm_shop .* - +2$/)

    const json = await runCli(['keys', 'list', '--json', '--limit', '2'], { cwd })
    const keys = json.stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(keys.map((key) => key.id)).toEqual(['_IK_t1_crm_shop', '_IK_t2_crm_shop'])
    expect(Object.keys(keys[0])).toEqual([
      'id',
      'kind',
      'created',
      'createdUnix',
      'ageSeconds',
      'expires',
      'state',
      'parent',
      'uses',
    ])

    const shown = await runCli(['keys', 'show', '_SK_crm_shop'], { cwd })
    expect(shown.stdout.toString()).toMatch(
      /^id {7}_SK_crm_shop\nkind {5}system key\n[\s\S]*state {4}valid\nparent {3}none/,
    )
    const none = await runCli(['keys', 'show', '_SK_x'], { cwd })
    expect(none).toMatchObject({
      code: 2,
      stderr: "asherah: the metastore has no key '_SK_x': see asherah keys list\n",
    })
  })
})
