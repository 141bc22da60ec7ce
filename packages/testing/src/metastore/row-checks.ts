import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { assertRejects } from '../assertions.ts'
import type { Check } from '../check.ts'
import {
  assertMissing,
  assertRow,
  assertStored,
  CREATED,
  freshIntermediateKeyId,
  freshSystemKeyId,
  intermediateKey,
  type MetastoreSubject,
  storeNew,
  systemKey,
} from './subject.ts'

/** Rows go in and come out as they were. */
export const rowChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'store gives true, and load and loadLatest give back every field',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId())
      await storeNew(metastore, row)
      await assertStored(metastore, row, 'an intermediate key')
      assertRow(await metastore.loadLatest(row.keyId), row, 'loadLatest')
    },
  },
  {
    name: 'a system key has no parent',
    async run({ metastore }) {
      const row = systemKey(freshSystemKeyId())
      await storeNew(metastore, row)
      await assertStored(metastore, row, 'a system key')
    },
  },
  {
    name: 'the revoked flag is kept',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId(), CREATED, true)
      await storeNew(metastore, row)
      await assertStored(metastore, row, 'a revoked key')
      assertRow(await metastore.loadLatest(row.keyId), row, 'loadLatest')
    },
  },
  {
    name: 'load and loadLatest give null where there is no such row',
    async run({ metastore }) {
      const row = systemKey(freshSystemKeyId())
      assertMissing(await metastore.load(row.keyId, row.created), 'load of an unknown id')
      assertMissing(await metastore.loadLatest(row.keyId), 'loadLatest of an unknown id')
      await storeNew(metastore, row)
      assertMissing(await metastore.load(row.keyId, row.created + 1), 'load of the next second')
      assertMissing(await metastore.load(row.keyId, row.created - 1), 'load of the second before')
    },
  },
  {
    name: 'a second store of a row gives false and leaves the first one',
    async run({ metastore }) {
      const first = intermediateKey(freshIntermediateKeyId())
      await storeNew(metastore, first)
      const second = { ...intermediateKey(first.keyId), revoked: true }
      for (const row of [second, first]) {
        assert.equal(await metastore.store(row.keyId, row.created, row), false, 'store of a row that is there')
      }
      await assertStored(metastore, first, 'after the second store')
    },
  },
  {
    name: 'key bytes of any value and length are kept',
    async run({ metastore }) {
      const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i)
      const lengths = [1, 2, 59, 60, 61, 2_000, 8_000].map((length) => new Uint8Array(randomBytes(length)))
      for (const encryptedKey of [everyByte, new Uint8Array(60), ...lengths]) {
        const row = { ...systemKey(freshSystemKeyId()), encryptedKey }
        await storeNew(metastore, row)
        await assertStored(metastore, row, `${encryptedKey.byteLength} key bytes`)
      }
    },
  },
  {
    name: 'a view of key bytes stores what it shows, and nothing around it',
    async run({ metastore }) {
      const memory = new Uint8Array(randomBytes(100))
      const row = { ...systemKey(freshSystemKeyId()), encryptedKey: memory.subarray(20, 80) }
      await storeNew(metastore, row)
      await assertStored(metastore, row, 'a view')
    },
  },
  {
    name: 'bytes are copied: changing what was stored, or what was loaded, changes no row',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId())
      const expected = { ...row, encryptedKey: new Uint8Array(row.encryptedKey) }
      await storeNew(metastore, row)
      row.encryptedKey.fill(0)
      await assertStored(metastore, expected, 'after the stored bytes were changed')
      const loaded = await metastore.load(row.keyId, row.created)
      const latest = await metastore.loadLatest(row.keyId)
      loaded?.encryptedKey.fill(1)
      latest?.encryptedKey.fill(2)
      await assertStored(metastore, expected, 'after the loaded bytes were changed')
      assertRow(await metastore.loadLatest(row.keyId), expected, 'loadLatest after the loaded bytes were changed')
    },
  },
  {
    name: 'store leaves its arguments alone',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId())
      const before = structuredClone(row)
      await storeNew(metastore, Object.freeze(row))
      assert.deepEqual(row, before, 'the record after store')
    },
  },
  {
    name: 'store refuses an id or a created that are not those of the record, and writes nothing',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId())
      const otherId = freshIntermediateKeyId()
      await assertRejects(() => metastore.store(otherId, row.created, row), 'ERR_ASHERAH_INVALID_INPUT', 'another id')
      const later = row.created + 1
      await assertRejects(() => metastore.store(row.keyId, later, row), 'ERR_ASHERAH_INVALID_INPUT', 'another created')
      assertMissing(await metastore.load(otherId, row.created), 'load of the refused id')
      assertMissing(await metastore.load(row.keyId, later), 'load of the refused created')
      assertMissing(await metastore.load(row.keyId, row.created), "load of the record's own")
    },
  },
  {
    name: 'a call whose signal is aborted already rejects with AbortedError, whose cause is the reason, and writes nothing',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId())
      const reason = new Error('the caller has gone')
      const signal = AbortSignal.abort(reason)
      const calls: Readonly<Record<string, () => Promise<unknown>>> = {
        load: () => metastore.load(row.keyId, row.created, { signal }),
        loadLatest: () => metastore.loadLatest(row.keyId, { signal }),
        store: () => metastore.store(row.keyId, row.created, row, { signal }),
      }
      for (const [method, call] of Object.entries(calls)) {
        const error = await assertRejects(call, 'ERR_ASHERAH_ABORTED', method)
        assert.equal(
          error instanceof Error ? error.cause : undefined,
          reason,
          `${method}: the cause is the signal's reason`,
        )
      }
      assertMissing(await metastore.load(row.keyId, row.created), 'load after the aborted store')
    },
  },
  {
    name: 'a call with a signal that is not aborted is as one without',
    async run({ metastore }) {
      const row = intermediateKey(freshIntermediateKeyId())
      const { signal } = new AbortController()
      assert.equal(await metastore.store(row.keyId, row.created, row, { signal }), true)
      assertRow(await metastore.load(row.keyId, row.created, { signal }), row, 'load')
      assertRow(await metastore.loadLatest(row.keyId, { signal }), row, 'loadLatest')
    },
  },
]
