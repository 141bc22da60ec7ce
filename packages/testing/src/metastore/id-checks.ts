import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { MaxKeyId } from '@asherah/core/backend'
import type { Check } from '../check.ts'
import {
  assertMissing,
  assertRow,
  assertStored,
  CREATED,
  intermediateKey,
  type MetastoreSubject,
  storeNew,
} from './subject.ts'

/** Names that some database takes for the first one, and names that quoting or encoding gets wrong. */
const LOOK_ALIKES: readonly string[] = [
  'user',
  'User',
  'USER',
  'user ',
  ' user',
  'user\t',
  'us\u00e9r', // one code point
  'use\u0301r', // the same letters, as two: no normalization
  'uſer', // a long s is an s in some collations
  'ｕｓｅｒ', // full width
  'user\u00ad', // an invisible hyphen
  'user\u200b',
]

const HOSTILE: readonly string[] = [
  "o'brien",
  'say "hi"',
  'back\\slash',
  '%',
  '_',
  '`tick`',
  "'; DROP TABLE encryption_key; --",
  '$1 ?1 :id @p1 {0}',
  'new\nline and \u0001 control',
  'straße STRASSE',
  'İıi',
  'ﬁ fi',
  '中文 العربية हिन्दी',
  '😀👩‍👩‍👧‍👦\u{10ffff}',
  '\ufeffmark',
  '  ',
]

/** An id is its bytes: nothing is folded, trimmed, normalized, escaped or cut. */
export const idChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'ids that differ in case, accents, width, normal form or white space are different rows (D-005, D-008)',
    run: (subject) => keepApart(subject, LOOK_ALIKES),
  },
  {
    name: 'ids with quotes, wildcards, control characters and any script are kept exactly (D-086)',
    run: (subject) => keepApart(subject, HOSTILE),
  },
  {
    name: 'an id that was never stored is missing, however alike a stored one is (D-005)',
    async run({ metastore }) {
      const unique = randomUUID()
      const idOf = (partition: string): string => `_IK_${partition}_${unique}_conformance`
      const stored = ['user', 'us\u00e9r']
      for (const name of stored) await storeNew(metastore, intermediateKey(idOf(name)))
      for (const name of LOOK_ALIKES.filter((n) => !stored.includes(n))) {
        const what = JSON.stringify(idOf(name))
        assertMissing(await metastore.load(idOf(name), CREATED), `load of ${what}`)
        assertMissing(await metastore.loadLatest(idOf(name)), `loadLatest of ${what}`)
      }
    },
  },
  {
    name: 'an id that differs from a stored one only in spaces at its end is a row of its own, or refused: never that one (D-005)',
    async run({ metastore }) {
      for (const [first, second] of [
        ['', ' '],
        ['  ', ''],
        ['', '\t'],
      ]) {
        const id = `_IK_${randomUUID()}_conformance`
        const [row, other] = [intermediateKey(`${id}${first}`), intermediateKey(`${id}${second}`)]
        await storeNew(metastore, row)
        assertMissing(await metastore.load(other.keyId, CREATED), 'load of the other')
        assertMissing(await metastore.loadLatest(other.keyId), 'loadLatest of the other')
        const stored = await metastore.store(other.keyId, CREATED, other).catch(() => 'refused')
        if (stored === true) await assertStored(metastore, other, 'the other')
        else assert.equal(stored, 'refused', 'a store that did not happen must throw: there is no such row')
        await assertStored(metastore, row, 'the first')
      }
    },
  },
  {
    name: "a parent's id is kept exactly",
    async run({ metastore }) {
      for (const name of [...LOOK_ALIKES, ...HOSTILE]) {
        const row = intermediateKey(`_IK_p_${randomUUID()}_conformance`)
        const parentKeyMeta = { keyId: `_SK_${name}_conformance`, created: CREATED - 1 }
        await storeNew(metastore, { ...row, parentKeyMeta })
        await assertStored(metastore, { ...row, parentKeyMeta }, JSON.stringify(parentKeyMeta.keyId))
      }
    },
  },
  {
    name: 'the longest id that fits is kept whole, in any script (D-006)',
    async run({ metastore }) {
      for (const filler of ['x', '\u00e9', '😀']) {
        const row = intermediateKey(idOfLength(metastore.maxKeyId, filler))
        await storeNew(metastore, row)
        await assertStored(metastore, row, `an id of ${row.keyId.length} UTF-16 units`)
        assertRow(await metastore.loadLatest(row.keyId), row, 'loadLatest')
      }
    },
  },
  {
    name: 'an id that is too long is refused or kept whole: never cut (D-006)',
    async run({ metastore }) {
      const { maxKeyId } = metastore
      if (maxKeyId === undefined) return // the check before this one is about every length
      const fitting = intermediateKey(idOfLength(maxKeyId, 'x'))
      const tooLong = intermediateKey(`${fitting.keyId}x`)
      const stored = await metastore.store(tooLong.keyId, tooLong.created, tooLong).catch(() => 'refused')
      assertMissing(await metastore.load(fitting.keyId, CREATED), 'the id cut to its limit')
      if (stored === true) await assertStored(metastore, tooLong, 'an id over the limit')
      else assert.equal(stored, 'refused', 'a store that did not happen must throw')
    },
  },
  {
    name: 'maxKeyId and regionSuffix, where they are given, are of the contract’s shape',
    run({ metastore }) {
      const { maxKeyId, regionSuffix } = metastore
      if (maxKeyId !== undefined) {
        assert.ok(['bytes', 'codePoints', 'utf16'].includes(maxKeyId.unit), `maxKeyId.unit ${maxKeyId.unit}`)
        assert.ok(Number.isSafeInteger(maxKeyId.length) && maxKeyId.length > 0, `maxKeyId.length ${maxKeyId.length}`)
      }
      if (regionSuffix !== undefined) assert.ok(typeof regionSuffix === 'string' && regionSuffix !== '', 'regionSuffix')
    },
  },
]

async function keepApart({ metastore }: MetastoreSubject, names: readonly string[]): Promise<void> {
  const unique = randomUUID()
  const rows = names.map((name) => intermediateKey(`_IK_${name}_${unique}_conformance`))
  // One created for all: only the id tells them apart.
  for (const row of rows) await storeNew(metastore, row)
  for (const row of rows) {
    await assertStored(metastore, row, JSON.stringify(row.keyId))
    assertRow(await metastore.loadLatest(row.keyId), row, `loadLatest of ${JSON.stringify(row.keyId)}`)
  }
}

/** Without a limit, core's own limit for partitions (4,096 bytes) is the longest that a metastore meets. */
const CORE_LIMIT: MaxKeyId = { unit: 'bytes', length: 4_200 }

function idOfLength(limit: MaxKeyId = CORE_LIMIT, filler: string): string {
  const start = `_IK_${randomUUID()}`
  const size = (text: string): number =>
    limit.unit === 'bytes' ? Buffer.byteLength(text) : limit.unit === 'utf16' ? text.length : [...text].length
  const room = limit.length - size(start)
  const whole = start + filler.repeat(Math.floor(room / size(filler)))
  return whole + 'x'.repeat(limit.length - size(whole))
}
