import {
  AsherahError,
  type CryptoProvider,
  createHeapSecrets,
  createNodeCrypto,
  type KeyHandle,
  type RowMeta,
} from '@asherah/core/backend'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNativeCrypto } from '../src/index.ts'
import { nativeBinary } from './support/native-build.ts'

const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max, size: 'max' })
const payload = fc.oneof(
  bytes(200),
  bytes(6_000),
  fc.nat(300_000).map((length) => new Uint8Array(length).fill(7)),
)
const meta: fc.Arbitrary<RowMeta> = fc.record({
  created: fc.integer({ min: 1, max: 2 ** 40 }),
  parentKeyMeta: fc.record({
    keyId: fc.oneof(fc.string({ minLength: 1 }), fc.string({ minLength: 1, unit: 'grapheme' })),
    created: fc.integer({ min: 1, max: 2 ** 40 }),
  }),
})

describe.skipIf(nativeBinary() === undefined)('rows and keys of one provider open in the other', () => {
  let native: CryptoProvider
  let node: CryptoProvider
  let keys: { readonly native: KeyHandle; readonly node: KeyHandle }
  beforeAll(() => {
    native = createNativeCrypto({ mode: 'required' })
    node = createNodeCrypto({ secrets: createHeapSecrets() })
    const key = new Uint8Array(32).map((_, i) => i)
    keys = { native: native.importKey(new Uint8Array(key)), node: node.importKey(new Uint8Array(key)) }
  })
  afterAll(() => {
    native?.close()
    node?.close()
  })

  test('rows', () => {
    fc.assert(
      fc.property(payload, (plaintext) => {
        const ours = native.encryptRow(keys.native, plaintext)
        expect(node.decryptRow(keys.node, ours.encryptedKey, ours.data)).toEqual(plaintext)
        const theirs = node.encryptRow(keys.node, plaintext)
        expect(native.decryptRow(keys.native, theirs.encryptedKey, theirs.data)).toEqual(plaintext)
      }),
    )
  })

  test('rows off the main thread', async () => {
    await fc.assert(
      fc.asyncProperty(payload, meta, async (plaintext, about) => {
        const theirs = node.encryptRow(keys.node, plaintext)
        const opened = await native.decryptRowAsync?.(keys.native, theirs.encryptedKey, theirs.data)
        expect(opened).toEqual(plaintext)
        const json = (await native.encryptRowJsonAsync?.(keys.native, plaintext, about)) ?? ''
        const { encryptedKey, data } = blobsOf(json)
        expect(node.decryptRow(keys.node, encryptedKey, data)).toEqual(plaintext)
      }),
      { numRuns: 40 },
    )
  })

  test('the text is the same but for what is random', () => {
    fc.assert(
      fc.property(payload, meta, (plaintext, about) => {
        const ours = native.encryptRowJson?.(keys.native, plaintext, about) ?? ''
        const theirs = node.encryptRowJson?.(keys.node, plaintext, about) ?? ''
        expect(withoutBlobs(ours)).toBe(withoutBlobs(theirs))
        expect(ours).toHaveLength(theirs.length)
        for (const json of [ours, theirs]) {
          const { encryptedKey, data } = blobsOf(json)
          expect(node.decryptRow(keys.node, encryptedKey, data)).toEqual(plaintext)
          const spans = spansOf(json)
          expect(native.decryptRowJson?.(keys.native, json, spans)).toEqual(plaintext)
          const before = Buffer.from(json.slice(0, spans[2])).byteLength - (spans[2] ?? 0)
          const inBytes = Uint32Array.from(spans, (place, i) => place + (i < 2 ? 0 : before))
          expect(native.decryptRowJson?.(keys.native, Buffer.from(json), inBytes)).toEqual(plaintext)
        }
      }),
    )
  })

  test('wrapped keys', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (key) => {
        for (const [from, to, fromParent, toParent] of [
          [native, node, keys.native, keys.node],
          [node, native, keys.node, keys.native],
        ] as const) {
          const handle = from.importKey(new Uint8Array(key))
          const again = to.unwrapKey(from.wrapKey(handle, fromParent), toParent)
          expect(await to.exportKey(again, async (shown) => new Uint8Array(shown))).toEqual(key)
          handle.close()
          again.close()
        }
      }),
      { numRuns: 40 },
    )
  })

  test('batches: each row is what one call would have written', () => {
    fc.assert(
      fc.property(fc.array(bytes(300), { maxLength: 20, size: 'max' }), meta, (payloads, about) => {
        let end = 0
        const ends = Uint32Array.from(payloads, ({ byteLength }) => (end += byteLength))
        const rows = native.encryptRowsPacked?.(keys.native, Buffer.concat(payloads), ends, about)
        const text = Buffer.from(rows?.packed ?? [])
        const wanted = node.encryptRowJson?.(keys.node, new Uint8Array(0), about) ?? ''
        payloads.forEach((plaintext, i) => {
          const json = text.toString('utf8', rows?.ends[i - 1] ?? 0, rows?.ends[i])
          expect(withoutBlobs(json)).toBe(withoutBlobs(wanted))
          const { encryptedKey, data } = blobsOf(json)
          expect(node.decryptRow(keys.node, encryptedKey, data)).toEqual(plaintext)
        })
        const theirs = payloads.map((plaintext) =>
          Buffer.from(node.encryptRowJson?.(keys.node, plaintext, about) ?? ''),
        )
        let rowEnd = 0
        const rowEnds = Uint32Array.from(theirs, ({ byteLength }) => (rowEnd += byteLength))
        const opened = native.decryptRowsPacked?.(keys.native, Buffer.concat(theirs), rowEnds)
        expect(opened?.ends).toEqual(ends)
        expect(Buffer.from(opened?.packed ?? [])).toEqual(Buffer.concat(payloads))
      }),
    )
  })

  /** As long as a wrapped key: nonce, 32 bytes, tag. */
  const key60 = (text: string): boolean => Buffer.from(text, 'base64').length === 60

  test('both refuse the same base64 (canonical only), with the same class of error', () => {
    const alphabet = 'ABCDabcd0123+/='
    const text = fc.oneof(
      fc.string({
        unit: fc.constantFrom(...alphabet, '-', '_', '\n', ' ', '\u0141', '\u00c1'),
        maxLength: 60,
        size: 'max',
      }),
      bytes(60).map((decoded) => Buffer.from(decoded).toString('base64')),
    )
    fc.assert(
      fc.property(text, text, (key, data) => {
        const json = `${key}|${data}`
        const spans = Uint32Array.of(0, key.length, key.length + 1, json.length)
        const padded = `${key.padEnd(80, 'A').slice(0, 80)}|${data}`
        const paddedSpans = Uint32Array.of(0, 80, 81, padded.length)
        for (const [source, places] of [
          [json, spans],
          [padded, paddedSpans],
        ] as const) {
          const thrown = errorOf(() => native.decryptRowJson?.(keys.native, source, places))
          const canonical = [source.slice(places[0], places[1]), source.slice(places[2], places[3])].every(
            (part) => Buffer.from(part, 'base64').toString('base64') === part,
          )
          expect(thrown?.code).toBe(
            canonical && key60(source.slice(0, places[1]))
              ? 'ERR_ASHERAH_DECRYPTION_FAILED'
              : 'ERR_ASHERAH_INVALID_INPUT',
          )
        }
      }),
      { numRuns: 300 },
    )
  })
})

function errorOf(call: () => unknown): AsherahError | undefined {
  try {
    call()
  } catch (error) {
    if (error instanceof AsherahError) return error
    throw error
  }
  return undefined
}

function spansOf(json: string): Uint32Array {
  const keyStart = json.indexOf(',"Key":"') + 8
  return Uint32Array.of(keyStart, json.indexOf('"', keyStart), json.lastIndexOf('"Data":"') + 8, json.length - 2)
}

function withoutBlobs(json: string): string {
  const [keyStart, keyEnd, dataStart] = spansOf(json)
  return `${json.slice(0, keyStart)}…${json.slice(keyEnd, dataStart)}…`
}

function blobsOf(json: string): { readonly encryptedKey: Uint8Array; readonly data: Uint8Array } {
  const [keyStart, keyEnd, dataStart, dataEnd] = spansOf(json)
  return {
    encryptedKey: Buffer.from(json.slice(keyStart, keyEnd), 'base64'),
    data: Buffer.from(json.slice(dataStart, dataEnd), 'base64'),
  }
}
