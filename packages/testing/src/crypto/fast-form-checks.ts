import assert from 'node:assert/strict'
import type { CryptoProvider, KeyHandle, RowMeta } from '@asherah/core/backend'
import { assertBytes, assertRejects, assertThrows, there } from '../assertions.ts'
import type { Check } from '../check.ts'
import { type CryptoCapability, type CryptoSubject, flip, nonceOf, random } from './crypto-subject.ts'

/** Ids that JSON must escape, and ids whose UTF-8 is longer than their UTF-16. */
const METAS: readonly RowMeta[] = [
  '_IK_p_service_product',
  '_IK_a"b\\c\n\u0001_service_product',
  '_IK_é😀\u2028_service_product',
].map((keyId, i) => ({ created: 1_795_251_386 + i, parentKeyMeta: { keyId, created: 1_795_251_360 } }))

const LENGTHS: readonly number[] = [0, 1, 2, 3, 100, 65_537]

interface WireRow {
  readonly encryptedKey: Uint8Array
  readonly data: Uint8Array
}

/** Checks a row's wire text against what it must say, and gives its blobs. */
function parseWire(json: string, meta: RowMeta): WireRow {
  const row: unknown = JSON.parse(json)
  const key = text(row, 'Key', 'Key')
  const data = text(row, 'Data')
  const expected = {
    Key: {
      Created: meta.created,
      Key: key,
      ParentKeyMeta: { KeyId: meta.parentKeyMeta.keyId, Created: meta.parentKeyMeta.created },
    },
    Data: data,
  }
  assert.deepEqual(row, expected, 'the fields of the row')
  return { encryptedKey: fromBase64(key), data: fromBase64(data) }
}

function text(row: unknown, ...path: readonly string[]): string {
  let value = row
  for (const name of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  assert.ok(typeof value === 'string', `${path.join('.')} is no text`)
  return value
}

function fromBase64(value: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(value, 'base64'))
  assert.equal(Buffer.from(bytes).toString('base64'), value, 'standard base64 with padding')
  return bytes
}

/** A row's wire text as others may write it, and where its two base64 texts stand, in units of the string or of bytes. */
function writeWire(
  row: WireRow,
  meta: RowMeta,
  unit: 'string' | 'bytes',
): { readonly json: string; readonly spans: Uint32Array } {
  const key = Buffer.from(row.encryptedKey).toString('base64')
  const data = Buffer.from(row.data).toString('base64')
  const head = `{"X": "é😀", "Key":{"ParentKeyMeta":${JSON.stringify({ KeyId: meta.parentKeyMeta.keyId })},"Key":"`
  const middle = `","Created":1}, "Data":"`
  const size = (part: string): number => (unit === 'string' ? part.length : Buffer.byteLength(part))
  const keyStart = size(head)
  const dataStart = keyStart + key.length + size(middle)
  const spans = Uint32Array.of(keyStart, keyStart + key.length, dataStart, dataStart + data.length)
  return { json: `${head}${key}${middle}${data}"}`, spans }
}

function eachPayload(run: (plaintext: Uint8Array, meta: RowMeta) => void | Promise<void>): Promise<void> {
  return LENGTHS.reduce(
    (before, length, i) => before.then(() => run(random(length), METAS[i % METAS.length] ?? METAS[0] ?? fail())),
    Promise.resolve(),
  )
}

function fail(): never {
  assert.fail('there is no such payload')
}

function jsonCheck(name: 'encryptRowJson' | 'encryptRowJsonAsync'): Check<CryptoSubject> {
  return {
    name: `${name} agrees with decryptRow, writes the wire form, and is fresh each time`,
    async run({ crypto }) {
      const key = crypto.generateKey()
      const write = there(crypto[name]?.bind(crypto), name)
      await eachPayload(async (plaintext, meta) => {
        const before = new Uint8Array(plaintext)
        const [first, second] = [await write(key, plaintext, meta), await write(key, plaintext, meta)].map((json) =>
          parseWire(json, meta),
        )
        assert.ok(first !== undefined && second !== undefined)
        assertBytes(plaintext, before, 'the plaintext afterwards')
        for (const row of [first, second])
          assertBytes(crypto.decryptRow(key, row.encryptedKey, row.data), before, 'the row')
        const nonces = [first, second].flatMap((row) => [nonceOf(row.encryptedKey), nonceOf(row.data)])
        assert.equal(new Set(nonces).size, 4, 'nonces that differ')
      })
      await refusesClosed(crypto, (handle) => write(handle, random(5), METAS[0] ?? fail()))
      key.close()
    },
  }
}

async function refusesClosed(crypto: CryptoProvider, call: (closed: KeyHandle) => unknown): Promise<void> {
  const closed = crypto.generateKey()
  closed.close()
  await assertRejects(async () => call(closed), 'ERR_ASHERAH_CLOSED', 'a closed handle')
}

/** Payloads in one buffer, and where each ends. */
function pack(payloads: readonly Uint8Array[]): { readonly packed: Uint8Array; readonly ends: Uint32Array } {
  let end = 0
  return {
    packed: new Uint8Array(Buffer.concat(payloads)),
    ends: Uint32Array.from(payloads, (p) => (end += p.byteLength)),
  }
}

function packedCheck(): Check<CryptoSubject> {
  return {
    name: 'decryptRowsPacked gives back what encryptRowsPacked was given, row by row, and refuses altered rows',
    async run({ crypto }) {
      const key = crypto.generateKey()
      const encrypt = there(crypto.encryptRowsPacked?.bind(crypto), 'encryptRowsPacked')
      const decrypt = there(crypto.decryptRowsPacked?.bind(crypto), 'decryptRowsPacked')
      const meta = METAS[2] ?? fail()
      for (const lengths of [[], [0], [10], [0, 1, 0, 500, 3], Array.from({ length: 200 }, (_, i) => i)]) {
        const { packed, ends } = pack(lengths.map(random))
        const rows = encrypt(key, packed, ends, meta)
        assert.equal(rows.ends.length, ends.length, 'the number of rows')
        const back = decrypt(key, rows.packed, rows.ends)
        assert.deepEqual(back.ends, ends, 'where each payload ends')
        assertBytes(back.packed, packed, 'the payloads')
      }
      const { packed, ends } = pack([random(9), random(9)])
      const rows = encrypt(key, packed, ends, meta)
      const other = crypto.generateKey()
      assertThrows(() => decrypt(other, rows.packed, rows.ends), 'ERR_ASHERAH_DECRYPTION_FAILED', 'another key')
      await refusesClosed(crypto, (handle) => encrypt(handle, packed, ends, meta))
      await refusesClosed(crypto, (handle) => decrypt(handle, rows.packed, rows.ends))
    },
  }
}

/** The checks of each fast form that a provider may have. */
export const fastFormChecks: Readonly<Record<CryptoCapability, readonly Check<CryptoSubject>[]>> = {
  encryptRowJson: [jsonCheck('encryptRowJson')],
  encryptRowJsonAsync: [jsonCheck('encryptRowJsonAsync')],
  decryptRowJson: [
    {
      name: 'decryptRowJson agrees with encryptRow, for text and for its bytes, and refuses altered rows',
      async run({ crypto }) {
        const key = crypto.generateKey()
        const read = there(crypto.decryptRowJson?.bind(crypto), 'decryptRowJson')
        await eachPayload((plaintext, meta) => {
          const row = crypto.encryptRow(key, plaintext)
          const asText = writeWire(row, meta, 'string')
          const asBytes = writeWire(row, meta, 'bytes')
          assertBytes(read(key, asText.json, asText.spans), plaintext, 'from text')
          assertBytes(read(key, new TextEncoder().encode(asBytes.json), asBytes.spans), plaintext, 'from bytes')
          const altered = writeWire({ ...row, data: flip(row.data, 0) }, meta, 'string')
          assertThrows(() => read(key, altered.json, altered.spans), 'ERR_ASHERAH_DECRYPTION_FAILED', 'altered data')
          const mixed = writeWire({ ...row, encryptedKey: flip(row.encryptedKey, 0) }, meta, 'string')
          assertThrows(() => read(key, mixed.json, mixed.spans), 'ERR_ASHERAH_DECRYPTION_FAILED', 'an altered key')
        })
        const { json, spans } = writeWire(crypto.encryptRow(key, random(5)), METAS[0] ?? fail(), 'string')
        await refusesClosed(crypto, (handle) => read(handle, json, spans))
        key.close()
      },
    },
  ],
  decryptRowAsync: [
    {
      name: 'decryptRowAsync agrees with encryptRow, and refuses altered rows',
      async run({ crypto }) {
        const key = crypto.generateKey()
        const decrypt = there(crypto.decryptRowAsync?.bind(crypto), 'decryptRowAsync')
        await eachPayload(async (plaintext) => {
          const { encryptedKey, data } = crypto.encryptRow(key, plaintext)
          assertBytes(await decrypt(key, encryptedKey, data), plaintext, 'the row')
          const altered = (): Promise<unknown> => decrypt(key, encryptedKey, flip(data, 0))
          await assertRejects(altered, 'ERR_ASHERAH_DECRYPTION_FAILED', 'altered data')
        })
        const { encryptedKey, data } = crypto.encryptRow(key, random(5))
        await refusesClosed(crypto, (handle) => decrypt(handle, encryptedKey, data))
        key.close()
      },
    },
  ],
  encryptRowsPacked: [packedCheck()],
  // Its rows are those of encryptRowsPacked, whose check covers both: here, that it does not come alone.
  decryptRowsPacked: [
    {
      name: 'decryptRowsPacked comes with encryptRowsPacked',
      run({ crypto }) {
        there(crypto.decryptRowsPacked?.bind(crypto), 'decryptRowsPacked')
        there(crypto.encryptRowsPacked?.bind(crypto), 'encryptRowsPacked')
      },
    },
  ],
}
