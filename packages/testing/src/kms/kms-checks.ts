import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { KeyManagementService } from '@asherah/core/backend'
import { assertBytes, assertRejects } from '../assertions.ts'
import type { Check } from '../check.ts'

/** What the KMS checks work on. */
export interface KmsSubject {
  readonly kms: KeyManagementService
  /** Another client of the same master key. */
  readonly reopen: (() => Promise<KeyManagementService>) | undefined
  /** A client of another master key. */
  readonly createOther: (() => Promise<KeyManagementService>) | undefined
}

/** As core calls it: the key's identity goes along. */
const META = { keyId: '_SK_service_product', created: 1_795_251_360 }
const AT_ONCE = 20
/** Each tampered byte is a call, and a call may be a request. */
const MAX_TAMPERED = 200

function newKey(): Uint8Array {
  return new Uint8Array(randomBytes(32))
}

async function roundTrip(kms: KeyManagementService, key: Uint8Array, what: string): Promise<void> {
  const blob = await kms.encryptKey(key, { key: META })
  assertBytes(await kms.decryptKey(blob, { key: META, revoked: false }), key, what)
}

/** What a {@link KeyManagementService} must do. */
export const kmsChecks: readonly Check<KmsSubject>[] = [
  {
    name: 'decryptKey gives back what encryptKey was given, for keys of every kind, revoked ones too',
    async run({ kms }) {
      for (const key of [newKey(), new Uint8Array(32), new Uint8Array(32).fill(255)]) {
        const blob = await kms.encryptKey(key, { key: META })
        for (const revoked of [false, true]) {
          assertBytes(await kms.decryptKey(blob, { key: META, revoked }), key, `the key, revoked ${revoked}`)
        }
      }
    },
  },
  {
    name: 'the options of both calls may be left out',
    async run({ kms }) {
      const key = newKey()
      assertBytes(await kms.decryptKey(await kms.encryptKey(key)), key, 'the key')
    },
  },
  {
    name: 'the blob does not hold the key, and differs each time',
    async run({ kms }) {
      const key = newKey()
      const blobs = await Promise.all([kms.encryptKey(key, { key: META }), kms.encryptKey(key, { key: META })])
      for (const blob of blobs) {
        assert.ok(blob instanceof Uint8Array && blob.byteLength >= 32, 'the blob is bytes')
        const text = Buffer.from(blob)
        for (const form of [Buffer.from(key), Buffer.from(key).toString('hex'), Buffer.from(key).toString('base64')]) {
          assert.equal(text.indexOf(form), -1, 'the blob holds the key')
        }
      }
      assert.notDeepEqual(blobs[0], blobs[1], 'two blobs of one key')
    },
  },
  {
    name: "the caller's key and blob are neither changed nor kept",
    async run({ kms }) {
      const key = newKey()
      const copy = new Uint8Array(key)
      const blob = await kms.encryptKey(key, { key: META })
      assertBytes(key, copy, 'the key after encryptKey')
      key.fill(0)
      const blobCopy = new Uint8Array(blob)
      assertBytes(await kms.decryptKey(blob, { key: META }), copy, 'after the caller wiped its key')
      assertBytes(blob, blobCopy, 'the blob after decryptKey')
    },
  },
  {
    name: 'decryptKey gives 32 bytes in an ArrayBuffer of their own, which the caller may wipe',
    async run({ kms }) {
      const key = newKey()
      const blob = await kms.encryptKey(key, { key: META })
      const first = await kms.decryptKey(blob, { key: META })
      const second = await kms.decryptKey(blob, { key: META })
      for (const result of [first, second]) {
        assert.equal(result.byteLength, 32, 'the length of the key')
        assert.equal(result.buffer.byteLength, 32, 'the length of its ArrayBuffer: it is a slice of a larger one')
      }
      assert.notEqual(first.buffer, second.buffer, 'two results share memory')
      first.fill(0)
      assertBytes(second, key, 'the second result after the first was wiped')
      assertBytes(await kms.decryptKey(blob, { key: META }), key, 'a third result after the first was wiped')
    },
  },
  {
    name: 'a blob with any byte altered is a KmsError, or gives the same key: never another one',
    async run({ kms }) {
      const key = newKey()
      const blob = await kms.encryptKey(key, { key: META })
      const step = Math.max(1, Math.ceil(blob.byteLength / MAX_TAMPERED))
      let refused = 0
      for (let at = 0; at < blob.byteLength; at += step) {
        const altered = new Uint8Array(blob)
        altered[at] = (altered[at] ?? 0) ^ 0x11
        const result = await kms.decryptKey(altered, { key: META }).catch(async (error: unknown) => {
          await assertRejects(() => Promise.reject(error), 'ERR_ASHERAH_KMS', `byte ${at} altered`)
          refused += 1
          return key
        })
        assertBytes(result, key, `byte ${at} altered: the key`)
      }
      assert.ok(refused > 0, 'no altered blob was refused')
    },
  },
  {
    name: 'a blob that is cut, longer, empty or nonsense is a KmsError',
    async run({ kms }) {
      const blob = await kms.encryptKey(newKey(), { key: META })
      const wrong: Readonly<Record<string, Uint8Array>> = {
        'an empty blob': new Uint8Array(),
        'one byte': blob.slice(0, 1),
        'a blob without its last byte': blob.slice(0, -1),
        'a blob without its first byte': blob.slice(1),
        'a blob and 16 bytes more': new Uint8Array([...blob, ...randomBytes(16)]),
        '60 random bytes': new Uint8Array(randomBytes(60)),
        'JSON of another kind': new TextEncoder().encode('{"encryptedKey":null,"kmsKeks":{}}'),
        zeros: new Uint8Array(blob.byteLength),
      }
      for (const [what, altered] of Object.entries(wrong)) {
        await assertRejects(() => kms.decryptKey(altered, { key: META }), 'ERR_ASHERAH_KMS', what)
      }
    },
  },
  {
    name: `${AT_ONCE} round trips at once do not mix`,
    async run({ kms }) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => roundTrip(kms, newKey(), `round trip ${i}`)))
    },
  },
  {
    name: 'a call whose signal is aborted already rejects with AbortedError, whose cause is the reason',
    async run({ kms }) {
      const blob = await kms.encryptKey(newKey(), { key: META })
      const reason = new Error('the caller has gone')
      const signal = AbortSignal.abort(reason)
      const calls: Readonly<Record<string, () => Promise<unknown>>> = {
        encryptKey: () => kms.encryptKey(newKey(), { key: META, signal }),
        decryptKey: () => kms.decryptKey(blob, { key: META, signal }),
      }
      for (const [method, call] of Object.entries(calls)) {
        const error = await assertRejects(call, 'ERR_ASHERAH_ABORTED', method)
        assert.equal(
          error instanceof Error ? error.cause : undefined,
          reason,
          `${method}: the cause is the signal's reason`,
        )
      }
    },
  },
]

/** With another client of the same master key. */
export const kmsReopenChecks: readonly Check<KmsSubject>[] = [
  {
    name: 'another client of the same master key decrypts',
    async run({ kms, reopen }) {
      assert.ok(reopen !== undefined)
      const key = newKey()
      const blob = await kms.encryptKey(key, { key: META })
      assertBytes(await (await reopen()).decryptKey(blob, { key: META }), key, 'the key')
    },
  },
]

/** With a client of another master key. */
export const kmsOtherChecks: readonly Check<KmsSubject>[] = [
  {
    name: 'under another master key a blob is a KmsError',
    async run({ kms, createOther }) {
      assert.ok(createOther !== undefined)
      const blob = await kms.encryptKey(newKey(), { key: META })
      const other = await createOther()
      await assertRejects(() => other.decryptKey(blob, { key: META }), 'ERR_ASHERAH_KMS', 'decryptKey')
      await roundTrip(other, newKey(), 'a round trip of the other client')
    },
  },
]
