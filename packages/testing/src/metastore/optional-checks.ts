import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { EnvelopeKeyRecord, KeyMeta, Metastore } from '@asherah/core/backend'
import { assertRejects, there } from '../assertions.ts'
import type { Check } from '../check.ts'
import {
  assertMissing,
  assertRow,
  assertStored,
  CREATED,
  createdBeside,
  freshIntermediateKeyId,
  freshSystemKeyId,
  intermediateKey,
  type MetastoreCapability,
  type MetastoreSubject,
  storeNew,
  systemKey,
} from './subject.ts'

/** More than any page of a backend. */
const MANY = 450
const BATCH = 25

async function listed(metastore: Metastore, after?: KeyMeta): Promise<EnvelopeKeyRecord[]> {
  const rows: EnvelopeKeyRecord[] = []
  for await (const row of there(metastore.list?.bind(metastore), 'list')(after === undefined ? {} : { after }))
    rows.push(row)
  return rows
}

function compare(a: KeyMeta, b: KeyMeta): number {
  return Buffer.compare(Buffer.from(a.keyId), Buffer.from(b.keyId)) || a.created - b.created
}

/** Rows that a wrong order shows: bytes against UTF-16 units, case, digits, prefixes, and several rows of one id. */
function mixedRows(subject: MetastoreSubject, run: string): EnvelopeKeyRecord[] {
  const names = ['b', 'B', 'a', 'ab', 'a_', 'a ', 'é', '\uff61', '😀', '10', '9', '中']
  const ids = names.map((name) => `_IK_${run}${name}`)
  const times = [999_999_999, 1_000_000_000, CREATED]
  return ids.flatMap((id) => times.map((created) => intermediateKey(id, createdBeside(subject, id, created))))
}

const listChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'list gives every row whole, by the bytes of its id, then by created',
    async run(subject) {
      const { metastore } = subject
      const run = randomUUID()
      const rows = mixedRows(subject, run)
      for (const row of rows) await storeNew(metastore, row)
      const all = await listed(metastore)
      all.forEach((row, i) => {
        const before = all[i - 1]
        assert.ok(before === undefined || compare(before, row) < 0, `${JSON.stringify(row.keyId)} is out of order`)
      })
      const found = all.filter((row) => row.keyId.includes(run))
      const expected = rows.toSorted(compare)
      assert.equal(found.length, expected.length, 'rows that list gave')
      expected.forEach((row, i) => {
        assertRow(found[i], row, `row ${i}`)
      })
    },
  },
  {
    name: 'list after a key goes on with the next one, whether that key is there or not',
    async run(subject) {
      const { metastore } = subject
      const run = randomUUID()
      const rows = mixedRows(subject, run).toSorted(compare)
      for (const row of rows) await storeNew(metastore, row)
      const own = async (after: KeyMeta): Promise<KeyMeta[]> =>
        (await listed(metastore, after)).filter((row) => row.keyId.includes(run)).map(meta)
      for (const at of [0, 1, 2, 17, rows.length - 2, rows.length - 1]) {
        const row = rows[at]
        assert.ok(row !== undefined)
        assert.deepEqual(await own(meta(row)), rows.slice(at + 1).map(meta), `after row ${at}`)
        const between = { keyId: row.keyId, created: row.created - 1 }
        assert.deepEqual(await own(between), rows.slice(at).map(meta), `after a second before row ${at}`)
      }
    },
  },
  {
    name: 'list gives each of many rows once',
    async run({ metastore }) {
      const run = randomUUID()
      const keys = Array.from({ length: MANY }, (_, i) => `_IK_${run}_${i % (MANY / 3)}`)
      const rows = keys.map((keyId, i) => intermediateKey(keyId, CREATED + i))
      for (let i = 0; i < MANY; i += BATCH) {
        await Promise.all(rows.slice(i, i + BATCH).map((row) => storeNew(metastore, row)))
      }
      const found = (await listed(metastore)).filter((row) => row.keyId.includes(run)).map(meta)
      assert.deepEqual(found, rows.toSorted(compare).map(meta))
    },
  },
  {
    name: 'list can be left early, and stops when its signal aborts',
    async run({ metastore }) {
      await storeNew(metastore, systemKey(freshSystemKeyId()))
      await storeNew(metastore, systemKey(freshSystemKeyId()))
      const list = there(metastore.list?.bind(metastore), 'list')
      for await (const row of list()) {
        assert.ok(typeof row.keyId === 'string')
        break
      }
      const aborted = async (signal: AbortSignal, onRow: () => void): Promise<void> => {
        for await (const _ of list({ signal })) onRow()
      }
      const already = AbortSignal.abort(new Error('the caller has gone'))
      await assertRejects(() => aborted(already, () => {}), 'ERR_ASHERAH_ABORTED', 'aborted already')
      const controller = new AbortController()
      const onRow = (): void => controller.abort(new Error('enough'))
      await assertRejects(() => aborted(controller.signal, onRow), 'ERR_ASHERAH_ABORTED', 'aborted at the first row')
    },
  },
]

function meta({ keyId, created }: KeyMeta): KeyMeta {
  return { keyId, created }
}

const markRevokedChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'markRevoked gives true, marks that row, and changes nothing else of it',
    async run({ metastore }) {
      for (const row of [intermediateKey(freshIntermediateKeyId()), systemKey(freshSystemKeyId())]) {
        await storeNew(metastore, row)
        assert.equal(
          await there(metastore.markRevoked?.bind(metastore), 'markRevoked')(row.keyId, row.created),
          true,
          'the first time',
        )
        await assertStored(metastore, { ...row, revoked: true }, 'a revoked row')
        assertRow(await metastore.loadLatest(row.keyId), { ...row, revoked: true }, 'loadLatest')
        assert.equal(
          await there(metastore.markRevoked?.bind(metastore), 'markRevoked')(row.keyId, row.created),
          true,
          'the second time',
        )
        await assertStored(metastore, { ...row, revoked: true }, 'a row that was revoked twice')
      }
    },
  },
  {
    name: 'markRevoked leaves the other rows alone, and gives false where there is no such row',
    async run(subject) {
      const { metastore } = subject
      const markRevoked = there(metastore.markRevoked?.bind(metastore), 'markRevoked')
      const keyId = freshIntermediateKeyId()
      const rows = [keyId, keyId.toUpperCase(), `${keyId} `, `${keyId}x`].flatMap((id) => [
        intermediateKey(id, createdBeside(subject, id, CREATED)),
        intermediateKey(id, createdBeside(subject, id, CREATED + 60)),
      ])
      for (const row of rows) await storeNew(metastore, row)
      assert.equal(await markRevoked(keyId, CREATED), true)
      for (const row of rows) {
        const revoked = row.keyId === keyId && row.created === CREATED
        await assertStored(metastore, { ...row, revoked }, JSON.stringify(meta(row)))
      }
      assert.equal(await markRevoked(keyId, CREATED + 1), false, 'another created')
      const unknown = freshIntermediateKeyId()
      assert.equal(await markRevoked(unknown, CREATED), false, 'another id')
      assertMissing(await metastore.load(unknown, CREATED), 'the row that was not there')
    },
  },
  {
    name: 'markRevoked with an aborted signal marks nothing',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId())
      await storeNew(metastore, row)
      const signal = AbortSignal.abort(new Error('the caller has gone'))
      const call = (): Promise<boolean> =>
        there(metastore.markRevoked?.bind(metastore), 'markRevoked')(row.keyId, row.created, { signal })
      await assertRejects(call, 'ERR_ASHERAH_ABORTED', 'markRevoked')
      await assertStored(metastore, row, 'after the aborted call')
    },
  },
]

const checkChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'check finds a sound store fit for use, in findings of the contract’s shape, and writes nothing',
    async run({ metastore }) {
      const check = there(metastore.check?.bind(metastore), 'check')
      const row = intermediateKey(freshIntermediateKeyId())
      await storeNew(metastore, row)
      const unknown = freshIntermediateKeyId()
      for (const options of [undefined, { keyId: row.keyId }, { keyId: unknown }]) {
        const report = await check(options)
        const failed = report.findings.filter((finding) => finding.level === 'fail')
        assert.deepEqual(failed, [], 'findings that fail')
        assert.equal(report.ok, true, 'ok')
        assert.ok(report.findings.length > 0, 'there are findings')
        for (const finding of report.findings) {
          assert.ok(['pass', 'warn', 'fail'].includes(finding.level), `level ${finding.level}`)
          assert.ok(/^\S+$/.test(finding.check), `check ${JSON.stringify(finding.check)}: a short name`)
          assert.ok(finding.message.length > 0, 'message')
        }
      }
      await assertStored(metastore, row, 'after the checks')
      assertMissing(await metastore.loadLatest(unknown), 'the id that check was asked about')
    },
  },
  {
    name: 'check with an aborted signal rejects with AbortedError',
    async run({ metastore }) {
      const signal = AbortSignal.abort(new Error('the caller has gone'))
      await assertRejects(
        () => there(metastore.check?.bind(metastore), 'check')({ signal }),
        'ERR_ASHERAH_ABORTED',
        'check',
      )
    },
  },
]

const closeChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'close is idempotent, lets running calls end, and every later call is a ClosedError',
    async run(subject) {
      const metastore = await subject.create()
      const row = intermediateKey(freshIntermediateKeyId())
      await storeNew(metastore, row)
      const running = metastore.load(row.keyId, row.created).catch(async (error: unknown) => {
        await assertRejects(() => Promise.reject(error), 'ERR_ASHERAH_CLOSED', 'a load that ran while it was closed')
        return 'closed'
      })
      await Promise.all([
        there(metastore.close?.bind(metastore), 'close')(),
        there(metastore.close?.bind(metastore), 'close')(),
      ])
      const ended = await running
      if (ended !== 'closed') assertRow(ended, row, 'a load that ran while it was closed')
      await there(metastore.close?.bind(metastore), 'close')()
      const later: Readonly<Record<string, () => Promise<unknown>>> = {
        load: () => metastore.load(row.keyId, row.created),
        loadLatest: () => metastore.loadLatest(row.keyId),
        store: () => metastore.store(row.keyId, row.created, row),
        ...(metastore.list === undefined ? {} : { list: () => listed(metastore) }),
        ...(metastore.markRevoked === undefined
          ? {}
          : { markRevoked: async () => metastore.markRevoked?.(row.keyId, row.created) }),
        ...(metastore.check === undefined ? {} : { check: async () => metastore.check?.() }),
      }
      for (const [method, call] of Object.entries(later)) await assertRejects(call, 'ERR_ASHERAH_CLOSED', method)
    },
  },
]

/** The checks of each capability that a metastore may have. */
export const optionalChecks: Readonly<Record<MetastoreCapability, readonly Check<MetastoreSubject>[]>> = {
  list: listChecks,
  markRevoked: markRevokedChecks,
  check: checkChecks,
  close: closeChecks,
}
