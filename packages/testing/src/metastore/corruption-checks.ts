import assert from 'node:assert/strict'
import { serializeEnvelopeKeyRecord } from '@asherah/core/backend'
import { assertRejects } from '../assertions.ts'
import type { Check } from '../check.ts'
import {
  assertStored,
  CREATED,
  freshIntermediateKeyId,
  intermediateKey,
  type MetastoreSubject,
  storeNew,
} from './subject.ts'

const KEY = Buffer.alloc(60, 7).toString('base64')
const PARENT = `"ParentKeyMeta":{"KeyId":"_SK_parent_conformance","Created":${CREATED}}`

/** What must never be read as a key, nor as a missing row: a table's worth of D-085. */
const MALFORMED: Readonly<Record<string, string>> = {
  'an empty text': '',
  'no JSON': 'not json',
  null: 'null',
  'an array': '[]',
  'an unclosed object': `{"Created":${CREATED},"Key":"${KEY}",${PARENT}`,
  'trailing text': `{"Created":${CREATED},"Key":"${KEY}",${PARENT}} x`,
  'a flag of garbage': `{"Revoked":€€€,"Created":${CREATED},"Key":"${KEY}",${PARENT}}`,
  'a flag of text': `{"Revoked":"true","Created":${CREATED},"Key":"${KEY}",${PARENT}}`,
  'two Keys': `{"Created":${CREATED},"Key":"${KEY}","Key":"${KEY}",${PARENT}}`,
  'no Key': `{"Created":${CREATED},${PARENT}}`,
  'a Key that is not base64': `{"Created":${CREATED},"Key":"***",${PARENT}}`,
  'no Created': `{"Key":"${KEY}",${PARENT}}`,
  'a Created of text': `{"Created":"${CREATED}","Key":"${KEY}",${PARENT}}`,
  'the Created of another row': `{"Created":${CREATED + 1},"Key":"${KEY}",${PARENT}}`,
  'half a parent': `{"Created":${CREATED},"Key":"${KEY}","ParentKeyMeta":{"KeyId":"_SK_parent_conformance"}}`,
}

/** What is unusual, and fine: written by other implementations. */
const UNUSUAL: Readonly<Record<string, (row: { readonly key: string }) => string>> = {
  'another order and white space': ({ key }) => `{ ${PARENT}, "Key": "${key}", "Created": ${CREATED} }`,
  'unknown fields': ({ key }) => `{"X":{"Key":1},"Created":${CREATED},"Key":"${key}",${PARENT}}`,
  'Revoked: null': ({ key }) => `{"Revoked":null,"Created":${CREATED},"Key":"${key}",${PARENT}}`,
  'Revoked: false': ({ key }) => `{"Revoked":false,"Created":${CREATED},"Key":"${key}",${PARENT}}`,
}

/** For metastores that keep a row's body as text. */
export const corruptionChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'a malformed row is a CorruptRecordError, never a missing one, and store does not replace it (D-050, D-056, D-085)',
    async run(subject) {
      const { metastore } = subject
      for (const [what, text] of Object.entries(MALFORMED)) {
        const row = intermediateKey(freshIntermediateKeyId())
        await storeNew(metastore, row)
        await overwrite(subject, row, text)
        await assertRejects(() => metastore.load(row.keyId, CREATED), 'ERR_ASHERAH_CORRUPT_RECORD', `load of ${what}`)
        await assertRejects(
          () => metastore.loadLatest(row.keyId),
          'ERR_ASHERAH_CORRUPT_RECORD',
          `loadLatest of ${what}`,
        )
        const stored = await metastore.store(row.keyId, CREATED, row).catch(() => 'refused')
        assert.notEqual(stored, true, `store over ${what}`)
        await overwrite(subject, row, serializeEnvelopeKeyRecord(row)) // other checks read the whole store
        await assertStored(metastore, row, `after ${what} was repaired`)
      }
    },
  },
  {
    name: "other implementations' forms of a row are read",
    async run(subject) {
      for (const [what, textOf] of Object.entries(UNUSUAL)) {
        const row = intermediateKey(freshIntermediateKeyId())
        const expected = { ...row, parentKeyMeta: { keyId: '_SK_parent_conformance', created: CREATED } }
        await storeNew(subject.metastore, row)
        await overwrite(subject, row, textOf({ key: Buffer.from(row.encryptedKey).toString('base64') }))
        await assertStored(subject.metastore, expected, what)
      }
    },
  },
]

async function overwrite(
  subject: MetastoreSubject,
  row: { keyId: string; created: number },
  text: string,
): Promise<void> {
  assert.ok(subject.overwriteBody !== undefined)
  await subject.overwriteBody({ keyId: row.keyId, created: row.created }, text)
}
