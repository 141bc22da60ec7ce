import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SessionFactory } from '@asherah/core'
import {
  type EnvelopeKeyRecord,
  type KeyManagementService,
  type Metastore,
  openAes256Gcm,
  sealAes256Gcm,
} from '@asherah/core/backend'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { assertRejects } from '../assertions.ts'
import { createMetastoreFaults, faultyMetastore } from '../faulty-metastore.ts'
import { assertMissing, assertRow, CREATED, intermediateKey } from '../metastore/subject.ts'
import { startTcpFaultProxy, type TcpFaultProxy } from './fault-proxy.ts'
import type { SqlServer } from './sql-service.ts'

/** Options of a metastore of an SQL server that the faults need. */
export interface SqlFaultLimits {
  readonly maxConnections?: number
  readonly acquireTimeoutMs?: number
  readonly queryTimeoutMs?: number
  readonly retryTimeoutMs?: number
}

/** Options of {@link sqlFaults}. */
export interface SqlFaultOptions {
  readonly name: string
  readonly server: SqlServer
  /** A metastore of a table that is there, over the given address instead of the server's own. */
  create(address: { readonly host: string; readonly port: number }, limits: SqlFaultLimits): Metastore
  /**
   * A script that stores `process.argv[5]` random records of one key at once, and prints how many stores gave true:
   * its arguments are the server's URL, the key id and `created`.
   */
  readonly racer: URL
}

const PROCESSES = 4
const STORES = 50
/** Node before 22.18 strips types only when asked to. */
const STRIP_TYPES = process.features.typescript === 'strip' ? [] : ['--experimental-strip-types']

function freshKey(): EnvelopeKeyRecord {
  return intermediateKey(`_IK_p_${randomUUID()}_faults`, CREATED)
}

/** Registers the tests of what networks and servers do to an SQL metastore. */
export function sqlFaults({ name, server, create, racer }: SqlFaultOptions): void {
  describe(`faults: ${name}`, () => {
    let proxy: TcpFaultProxy
    const made: Metastore[] = []
    const through = (limits: SqlFaultLimits = {}): Metastore => {
      const metastore = create(proxy, limits)
      made.push(metastore)
      return metastore
    }
    beforeAll(async () => {
      proxy = await startTcpFaultProxy(server)
    })
    afterAll(async () => {
      proxy.setFault(undefined)
      proxy.resetConnections()
      for (const metastore of made) await metastore.close?.()
      await proxy.close()
    })
    const direct = (): Metastore => {
      const metastore = create(server, {})
      made.push(metastore)
      return metastore
    }
    /** Loses the answers to a store until its row is seen to be committed. */
    const storeWithLostAnswer = async (metastore: Metastore, row: EnvelopeKeyRecord): Promise<boolean> => {
      const other = freshKey()
      await metastore.store(other.keyId, other.created, other) // so that the next thing that is sent is the insert itself
      const observer = direct()
      await observer.load(other.keyId, other.created)
      proxy.setFault({ kind: 'dropAnswer' })
      const stored = metastore.store(row.keyId, row.created, row)
      const deadline = Date.now() + 3_000
      while ((await observer.load(row.keyId, row.created)) === null && Date.now() < deadline) await sleep(10)
      await sleep(50)
      proxy.setFault(undefined)
      return stored
    }

    test('a store whose answer is lost after the commit is tried again, and is no duplicate of itself', async () => {
      const metastore = through()
      const row = freshKey()
      assert.equal(await storeWithLostAnswer(metastore, row), true)
      assertRow(await metastore.load(row.keyId, row.created), row, 'the row')
      assert.equal(await metastore.store(row.keyId, row.created, row), false, 'the next store')
    })

    test('a store whose answer is lost while another row is there gives false, and that row stays', async () => {
      const metastore = through()
      const first = freshKey()
      await metastore.store(first.keyId, first.created, first)
      const second = intermediateKey(first.keyId, first.created)
      assert.equal(await storeWithLostAnswer(metastore, second), false)
      assertRow(await metastore.load(first.keyId, first.created), first, 'the first row')
    })

    test('D-050 a server that stays away is a MetastoreError, never a missing row; and it is found again', async () => {
      const metastore = through({ retryTimeoutMs: 100 })
      const row = freshKey()
      await metastore.store(row.keyId, row.created, row)
      proxy.setFault({ kind: 'reset' })
      await assertRejects(() => metastore.load(row.keyId, row.created), 'ERR_ASHERAH_METASTORE', 'load')
      await assertRejects(() => metastore.loadLatest(row.keyId), 'ERR_ASHERAH_METASTORE', 'loadLatest')
      const other = freshKey()
      await assertRejects(() => metastore.store(other.keyId, other.created, other), 'ERR_ASHERAH_METASTORE', 'store')
      proxy.setFault(undefined)
      assertRow(await metastore.load(row.keyId, row.created), row, 'after the server is back')
      assertMissing(await metastore.load(other.keyId, other.created), 'the store that failed')
    })

    test('every idle connection is reset at once: the next calls open new ones', async () => {
      const metastore = through()
      const row = freshKey()
      await metastore.store(row.keyId, row.created, row)
      await Promise.all(Array.from({ length: 8 }, () => metastore.load(row.keyId, row.created)))
      proxy.resetConnections()
      for (let i = 0; i < 8; i++) assertRow(await metastore.load(row.keyId, row.created), row, 'after the reset')
    })

    test('a server that does not answer: the query times out, and its connection is not used again', async () => {
      const metastore = through({ queryTimeoutMs: 100, retryTimeoutMs: 0, maxConnections: 1 })
      const row = freshKey()
      await metastore.store(row.keyId, row.created, row)
      proxy.setFault({ kind: 'hang' })
      await assertRejects(() => metastore.load(row.keyId, row.created), 'ERR_ASHERAH_METASTORE', 'load')
      proxy.setFault(undefined)
      assertRow(await metastore.load(row.keyId, row.created), row, 'on a new connection')
    })

    test('an abort ends a call that waits for the server, and one that waits for a connection', async () => {
      const metastore = through({ maxConnections: 1 })
      const row = freshKey()
      await metastore.store(row.keyId, row.created, row)
      proxy.setFault({ kind: 'hang' })
      const controller = new AbortController()
      const call = { signal: controller.signal }
      const calls = [metastore.load(row.keyId, row.created, call), metastore.loadLatest(row.keyId, call)]
      setTimeout(() => controller.abort(new Error('the caller has gone')), 50)
      for (const running of calls) await assertRejects(() => running, 'ERR_ASHERAH_ABORTED', 'a running call')
      proxy.setFault(undefined)
      assertRow(await metastore.load(row.keyId, row.created), row, 'after the abort')
    })

    test('D-064 a pool that is exhausted is a MetastoreError after acquireTimeoutMs; 20 waiters of one connection all end', async () => {
      const metastore = through({ maxConnections: 1, acquireTimeoutMs: 100, queryTimeoutMs: 500, retryTimeoutMs: 0 })
      const row = freshKey()
      await metastore.store(row.keyId, row.created, row)
      proxy.setFault({ kind: 'hang' })
      const hanging = metastore.load(row.keyId, row.created).catch(() => 'failed')
      await assertRejects(() => metastore.load(row.keyId, row.created), 'ERR_ASHERAH_METASTORE', 'a waiting load')
      proxy.setFault(undefined)
      await hanging
      const patient = through({ maxConnections: 1 })
      const loads = Array.from({ length: 20 }, () => patient.load(row.keyId, row.created))
      for (const load of await Promise.all(loads)) assertRow(load, row, 'a waiting load')
    })

    test('a factory over faults: lost answers and refused stores leave one system key, and every record is readable', async () => {
      const faults = createMetastoreFaults()
      const metastore = faultyMetastore(through(), faults)
      const service = randomUUID()
      const factory = (): SessionFactory =>
        new SessionFactory({ service, product: 'faults', metastore, kms: sealingKms() })
      const writer = factory()
      faults.store.loseAnswer({ nth: 1, times: 2 })
      const records: string[] = []
      for (const partition of ['a', 'b']) {
        const session = writer.getSession(partition)
        records.push(await session.encryptToJson(Buffer.from(partition)))
        session.close()
      }
      faults.loadLatest.fail({ nth: 1 })
      const refused = writer.getSession('c')
      await assertRejects(() => refused.encrypt(Buffer.from('c')), 'ERR_ASHERAH_METASTORE', 'an encrypt')
      refused.close()
      await writer.close()

      const rows: EnvelopeKeyRecord[] = []
      for await (const row of metastore.list?.() ?? []) if (row.keyId.includes(service)) rows.push(row)
      assert.deepEqual(rows.map((row) => row.keyId.slice(0, 5)).sort(), ['_IK_a', '_IK_b', `_SK_${service[0]}`])
      const reader = factory()
      for (const [i, partition] of ['a', 'b'].entries()) {
        const session = reader.getSession(partition)
        assert.equal(Buffer.from(await session.decrypt(records[i] ?? '')).toString(), partition)
        session.close()
      }
      await reader.close()
    })

    test('D-016 of 50 stores of each of 4 processes exactly one gives true', async () => {
      const row = freshKey()
      const args = [server.url, row.keyId, String(row.created), String(STORES)]
      const counts = await Promise.all(Array.from({ length: PROCESSES }, () => runScript(racer, args)))
      assert.equal(
        counts.map(Number).reduce((a, b) => a + b),
        1,
      )
    })

    const program = server.process
    if (program === undefined) return
    test('the server is killed during stores and comes back: what gave true is there, and nothing is lost', async () => {
      const metastore = create(server, { retryTimeoutMs: 20_000, queryTimeoutMs: 10_000 })
      made.push(metastore)
      const rows = Array.from({ length: 40 }, freshKey)
      const stores = rows.map(async (row, i) => {
        await sleep(i * 10)
        return metastore.store(row.keyId, row.created, row)
      })
      await sleep(100)
      await program.crash()
      await sleep(200)
      await program.restart()
      const stored = await Promise.all(stores)
      assert.deepEqual(
        stored.filter((inserted) => !inserted),
        [],
        'no store takes itself for a duplicate',
      )
      for (const row of rows) assertRow(await metastore.load(row.keyId, row.created), row, 'after the crash')
    })
  })
}

function sealingKms(): KeyManagementService {
  const masterKey = Buffer.from('a master key for tests, 32 bytes')
  return {
    encryptKey: async (key) => sealAes256Gcm(key, masterKey),
    decryptKey: async (blob) => openAes256Gcm(blob, masterKey),
  }
}

/** What a script prints. */
function runScript(script: URL, args: readonly string[]): Promise<string> {
  const flags = ['--conditions=asherah-source', '--no-warnings', ...STRIP_TYPES]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...flags, fileURLToPath(script), ...args], (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim())
      else reject(new Error(stderr, { cause: error }))
    })
  })
}
