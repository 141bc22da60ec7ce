import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, it } from 'vitest'
import { rustPeer } from '../src/peers.ts'

const programs = join(import.meta.dirname, '..', 'drop-in', 'programs')
const folder = mkdtempSync(join(tmpdir(), 'asherah-drop-in-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const flags = ['--conditions=asherah-source', '--disable-warning=ExperimentalWarning']

function run(program: string, input: object = {}): { output: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, join(programs, program)], {
    encoding: 'utf8',
    input: JSON.stringify(input),
    timeout: 100_000,
  })
  return { output: stdout + stderr, status }
}

describe('programs of the old packages run unchanged', () => {
  it.each(['v3-sync.cjs', 'v3-async.cjs', 'v4-module.mjs', 'v4-factory.mjs'])('%s', (program) => {
    expect(run(program)).toEqual({ output: 'ok\n', status: 0 })
  })
})

const MARKER = 'hunter2-seeded-marker'
const base = { serviceName: 's', productId: 'p', metastore: 'memory', kms: 'static' }
const withKey = { ...base, staticMasterKeyHex: `${'a1'.repeat(31)}b2` }

describe('D-139 hostile input ends in typed errors, and never in a crash', () => {
  it('config objects', () => {
    const configs: unknown[] = [
      { ...base, staticMasterKeyHex: 'aéa' },
      { ...base, staticMasterKeyHex: MARKER },
      { ...base, staticMasterKeyHex: 'é'.repeat(64) },
      { ...base, staticMasterKeyHex: '\u0000'.repeat(64) },
      { ...base, kms: '__proto__' },
      { ...base, metastore: { toString: 'x' } },
      { ...withKey, metastore: 'rdbms', connectionString: `postgres://u:${MARKER}@[::1/x` },
      { ...withKey, metastore: 'rdbms', connectionString: MARKER.repeat(10_000) },
      { ...withKey, metastore: 'rdbms', connectionString: `Server=;Password=${MARKER}` },
      { ...withKey, metastore: 'sqlite', connectionString: '/nowhere/at/all/x.db' },
      { ...withKey, metastore: 'dynamodb', dynamoDbRegion: MARKER.repeat(9) },
      { ...base, kms: 'aws', regionMap: [] },
      { ...base, kms: 'aws', regionMap: { 'us-west-2': 5 } },
      {
        ...base,
        kms: 'vault',
        vaultAddr: `http://u:${MARKER}@vault.example`,
        vaultTransitKey: '../../sys',
        vaultToken: MARKER,
      },
      { ...withKey, expireAfter: -1 },
      { ...withKey, sessionCacheMaxSize: 4_294_967_296 },
      [],
      'text',
      null,
      5,
    ]
    const { output, status } = run('hostile.mjs', { configs })
    expect(output.trim().split('\n')).toEqual(configs.map(() => Array(4).fill('ERR_ASHERAH_INVALID_CONFIG').join(' ')))
    expect(status).toBe(0)
  })

  it('config texts', () => {
    const texts = ['', '{', MARKER, `{"KMS":"${MARKER}"`, '"x"', '[1]', '{"ServiceName":"a","ServiceName":"b"}']
    const { output, status } = run('hostile.mjs', { texts })
    expect(output.trim().split('\n')).toEqual(texts.map(() => 'ERR_ASHERAH_INVALID_CONFIG ERR_ASHERAH_INVALID_CONFIG'))
    expect(status).toBe(0)
  })

  it('D-085 rows of the metastore', () => {
    const texts = [
      '',
      '{',
      '{"Revoked":€€€}',
      'null',
      '[]',
      '{"Key":"AAAA","Created":-1}',
      '{"Created":1e400,"Key":""}',
      '{"a":'.repeat(10_000),
    ]
    const rows = texts.flatMap((text) => ['_IK_*', '_SK_*'].map((id) => ({ id, text })))
    const { output, status } = run('hostile.mjs', { rows, folder })
    expect(output.trim().split('\n')).toEqual(rows.map(() => Array(4).fill('ERR_ASHERAH_CORRUPT_RECORD').join(' ')))
    expect(status).toBe(0)
  })
})

const masterKey = 'interop-master-key-of-32-letters'
const peer = await rustPeer()

describe('records are exchanged with the 4.x Rust core', () => {
  if (!peer.available) {
    const message = `the exchange with the Rust core did not run: ${peer.reason}`
    if (process.env.ASHERAH_TEST_REQUIRE !== 'all') console.warn(`SKIPPED: ${message}`)
    it.skipIf(process.env.ASHERAH_TEST_REQUIRE !== 'all')(message, () => expect.fail(message))
    return
  }
  it('a program of the old packages and the Rust core read each other, over one file', async () => {
    const path = join(folder, 'shared.db')
    const config = {
      ServiceName: 's',
      ProductID: 'p',
      Metastore: 'sqlite',
      ConnectionString: path,
      KMS: 'static',
      StaticMasterKeyHex: Buffer.from(masterKey).toString('hex'),
    }
    const child = peer.start()
    const program = spawn(process.execPath, [...flags, join(programs, 'shared-file.mjs')], {
      env: { ...process.env, DROP_IN_CONFIG: JSON.stringify(config) },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const answers = createInterface({ input: program.stdout })[Symbol.asyncIterator]()
    const ask = async (command: object): Promise<string> => {
      program.stdin.write(`${JSON.stringify(command)}\n`)
      return JSON.parse(String((await answers.next()).value))
    }
    try {
      await child.request('open', { service: 's', product: 'p', masterKey, path })
      const theirs = await child.request('encrypt', {
        partition: 'them',
        plaintext: Buffer.from('by Rust').toString('base64'),
      })
      expect(await ask({ partition: 'them', record: theirs })).toBe('by Rust')
      for (const partition of ['us', 'them']) {
        const record = await ask({ partition, text: 'by the drop-in' })
        const read = await child.request('decrypt', { partition, record })
        expect(Buffer.from(String(read), 'base64').toString()).toBe('by the drop-in')
      }
    } finally {
      program.stdin.end()
      await once(program, 'exit')
      await child.stop()
    }
  })
})
