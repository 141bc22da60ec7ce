import assert from 'node:assert/strict'
import type { CryptoProvider, KeyHandle } from '@asherah/core/backend'
import { assertBytes, assertRejects, assertThrows, assertWiped } from '../assertions.ts'
import type { Check } from '../check.ts'
import {
  type CryptoSubject,
  flip,
  independentOpen,
  independentSeal,
  knownKey,
  nonceOf,
  random,
  WRAPPED,
} from './crypto-subject.ts'

/** For a blob or a handle that cannot be used: which typed error it is, is the provider's choice. */
const TYPED = ['ERR_ASHERAH_INVALID_INPUT', 'ERR_ASHERAH_DECRYPTION_FAILED', 'ERR_ASHERAH_CLOSED'] as const

async function exported(crypto: CryptoProvider, handle: KeyHandle): Promise<Uint8Array> {
  return crypto.exportKey(handle, async (bytes) => new Uint8Array(bytes))
}

/** Every call that takes a handle, with this one in each place. */
function callsWith(
  crypto: CryptoProvider,
  handle: KeyHandle,
  good: KeyHandle,
): Readonly<Record<string, () => unknown>> {
  const wrapped = crypto.wrapKey(good, good)
  const row = crypto.encryptRow(good, random(10))
  return {
    exportKey: () => exported(crypto, handle),
    'wrapKey of it': () => crypto.wrapKey(handle, good),
    'wrapKey under it': () => crypto.wrapKey(good, handle),
    unwrapKey: () => crypto.unwrapKey(wrapped, handle),
    encryptRow: () => crypto.encryptRow(handle, random(10)),
    decryptRow: () => crypto.decryptRow(handle, row.encryptedKey, row.data),
  }
}

/** Keys go in, wrap each other, and go. */
export const keyChecks: readonly Check<CryptoSubject>[] = [
  {
    name: 'the provider has a kind',
    run({ crypto }) {
      assert.ok(typeof crypto.kind === 'string' && crypto.kind !== '', 'kind')
    },
  },
  {
    name: 'importKey takes 32 bytes, wipes them, and exportKey shows them',
    async run({ crypto }) {
      const input = random(32)
      const expected = new Uint8Array(input)
      const handle = crypto.importKey(input)
      assertWiped(input, 'the input of importKey')
      assert.equal(handle.closed, false)
      assertBytes(await exported(crypto, handle), expected, 'the exported key')
      assertBytes(await exported(crypto, handle), expected, 'the key, exported again')
      handle.close()
    },
  },
  {
    name: 'importKey of any other length is an InvalidInputError, and wipes its input',
    run({ crypto }) {
      for (const length of [0, 1, 16, 31, 33, 60, 64]) {
        const input = random(length)
        assertThrows(() => crypto.importKey(input), 'ERR_ASHERAH_INVALID_INPUT', `${length} bytes`)
        assertWiped(input, `the input of ${length} bytes`)
      }
    },
  },
  {
    name: 'exportKey shows the bytes until the promise settles, gives its result, and wipes them, after a rejection too',
    async run({ crypto }) {
      const { handle, bytes: expected } = knownKey(crypto)
      let kept: Uint8Array | undefined
      const use = async (bytes: Uint8Array): Promise<string> => {
        kept = bytes
        await new Promise((resolve) => setTimeout(resolve, 5))
        assertBytes(bytes, expected, 'the bytes after a pause')
        return 'done'
      }
      assert.equal(await crypto.exportKey(handle, use), 'done')
      assert.ok(kept !== undefined)
      assertWiped(kept, 'the bytes after the promise settled')
      const thrown = new Error('mine')
      const failing = crypto.exportKey(handle, async (bytes) => {
        kept = bytes
        throw thrown
      })
      await assert.rejects(failing, (error) => error === thrown)
      assertWiped(kept, 'the bytes after the promise rejected')
      handle.close()
    },
  },
  {
    name: 'generateKey makes a random key of 32 bytes, another one each time',
    async run({ crypto }) {
      const seen = new Set<string>()
      for (let i = 0; i < 30; i++) {
        const handle = crypto.generateKey()
        const bytes = await exported(crypto, handle)
        assert.equal(bytes.byteLength, 32)
        seen.add(Buffer.from(bytes).toString('hex'))
        handle.close()
      }
      assert.equal(seen.size, 30, 'keys that differ')
      assert.ok(!seen.has('00'.repeat(32)), 'a key of zeros')
    },
  },
  {
    name: 'wrapKey gives 60 bytes that node:crypto opens: ciphertext, tag, nonce',
    run({ crypto }) {
      const parent = knownKey(crypto)
      const child = knownKey(crypto)
      const wrapped = crypto.wrapKey(child.handle, parent.handle)
      assert.equal(wrapped.byteLength, WRAPPED)
      assertBytes(independentOpen(wrapped, parent.bytes), child.bytes, 'the wrapped key')
      parent.handle.close()
      child.handle.close()
    },
  },
  {
    name: 'unwrapKey opens what node:crypto sealed, and what wrapKey made',
    async run({ crypto }) {
      const parent = knownKey(crypto)
      const child = knownKey(crypto)
      for (const wrapped of [independentSeal(child.bytes, parent.bytes), crypto.wrapKey(child.handle, parent.handle)]) {
        const before = new Uint8Array(wrapped)
        const handle = crypto.unwrapKey(wrapped, parent.handle)
        assertBytes(wrapped, before, 'the blob after unwrapKey')
        assertBytes(await exported(crypto, handle), child.bytes, 'the unwrapped key')
        handle.close()
      }
      parent.handle.close()
      child.handle.close()
    },
  },
  {
    name: 'each wrapKey has a nonce of its own',
    run({ crypto }) {
      const parent = crypto.generateKey()
      const child = crypto.generateKey()
      const nonces = Array.from({ length: 200 }, () => nonceOf(crypto.wrapKey(child, parent)))
      assert.equal(new Set(nonces).size, nonces.length, 'nonces that differ')
      parent.close()
      child.close()
    },
  },
  {
    name: 'unwrapKey of a blob with any byte altered, or under another key, is a DecryptionError',
    run({ crypto }) {
      const parent = crypto.generateKey()
      const wrapped = crypto.wrapKey(crypto.generateKey(), parent)
      for (let at = 0; at < wrapped.byteLength; at++) {
        const call = (): unknown => crypto.unwrapKey(flip(wrapped, at), parent)
        assertThrows(call, 'ERR_ASHERAH_DECRYPTION_FAILED', `byte ${at} altered`)
      }
      const other = crypto.generateKey()
      assertThrows(() => crypto.unwrapKey(wrapped, other), 'ERR_ASHERAH_DECRYPTION_FAILED', 'another key')
    },
  },
  {
    name: 'unwrapKey of anything but 60 bytes is a typed error (D-089)',
    run({ crypto }) {
      const parent = crypto.generateKey()
      for (const length of [0, 1, 12, 27, 28, 32, 59, 61, 120]) {
        assertThrows(() => crypto.unwrapKey(random(length), parent), TYPED, `${length} bytes`)
      }
      const { handle, bytes } = knownKey(crypto)
      for (const length of [0, 16, 31, 33, 64]) {
        const sealed = independentSeal(random(length), bytes)
        assertThrows(() => crypto.unwrapKey(sealed, handle), TYPED, `an authentic key of ${length} bytes`)
      }
    },
  },
  {
    name: 'a closed handle is a ClosedError everywhere, and close is idempotent',
    async run({ crypto }) {
      const good = crypto.generateKey()
      const closed = crypto.generateKey()
      closed.close()
      closed.close()
      assert.equal(closed.closed, true)
      for (const [what, call] of Object.entries(callsWith(crypto, closed, good))) {
        await assertRejects(call, 'ERR_ASHERAH_CLOSED', what)
      }
      assert.equal(good.closed, false, 'another handle')
      good.close()
    },
  },
  {
    name: "another provider's handle, and an object that looks like one, are typed errors",
    async run({ crypto, create }) {
      const good = crypto.generateKey()
      const foreign = (await create()).generateKey()
      const fake: KeyHandle = { closed: false, close: () => {} }
      for (const handle of [foreign, fake]) {
        for (const [what, call] of Object.entries(callsWith(crypto, handle, good))) {
          await assertRejects(async () => call(), TYPED, what)
        }
      }
      good.close()
    },
  },
  {
    name: 'close ends the provider: its handles are closed, and every call is a ClosedError',
    async run({ create }) {
      const crypto = await create()
      const handle = crypto.generateKey()
      const calls = callsWith(crypto, handle, crypto.generateKey())
      crypto.close()
      crypto.close()
      assert.equal(handle.closed, true, 'the handle')
      assertThrows(() => crypto.generateKey(), 'ERR_ASHERAH_CLOSED', 'generateKey')
      const input = random(32)
      assertThrows(() => crypto.importKey(input), 'ERR_ASHERAH_CLOSED', 'importKey')
      assertWiped(input, 'the input of importKey')
      for (const [what, call] of Object.entries(calls))
        await assertRejects(async () => call(), 'ERR_ASHERAH_CLOSED', what)
    },
  },
]
