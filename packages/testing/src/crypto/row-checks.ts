import assert from 'node:assert/strict'
import { assertBytes, assertThrows } from '../assertions.ts'
import type { Check } from '../check.ts'
import {
  type CryptoSubject,
  flip,
  independentOpen,
  independentSeal,
  knownKey,
  nonceOf,
  OVERHEAD,
  random,
  WRAPPED,
} from './crypto-subject.ts'

/** Empty, small, around block sizes, and more than any buffer. */
const LENGTHS: readonly number[] = [0, 1, 15, 16, 17, 64, 1_000, 65_536, 1_048_577]
/** More rows than a pool of random bytes holds. */
const MANY = 300

/** Payloads are encrypted under fresh data row keys, and those under the intermediate key. */
export const rowCryptoChecks: readonly Check<CryptoSubject>[] = [
  {
    name: 'decryptRow gives back what encryptRow was given, from empty to large (D-094)',
    run({ crypto }) {
      const key = crypto.generateKey()
      for (const length of LENGTHS) {
        const plaintext = random(length)
        const before = new Uint8Array(plaintext)
        const { encryptedKey, data } = crypto.encryptRow(key, plaintext)
        assertBytes(plaintext, before, 'the plaintext after encryptRow')
        assert.equal(encryptedKey.byteLength, WRAPPED)
        assert.equal(data.byteLength, length + OVERHEAD)
        assertBytes(crypto.decryptRow(key, encryptedKey, data), before, `a payload of ${length} bytes`)
      }
      key.close()
    },
  },
  {
    name: 'a row is what node:crypto opens: the key blob under the intermediate key, the data under the data row key',
    run({ crypto }) {
      const { handle, bytes } = knownKey(crypto)
      for (const length of LENGTHS) {
        const plaintext = random(length)
        const { encryptedKey, data } = crypto.encryptRow(handle, plaintext)
        const dataRowKey = independentOpen(encryptedKey, bytes)
        assert.equal(dataRowKey.byteLength, 32)
        assertBytes(independentOpen(data, dataRowKey), plaintext, `a payload of ${length} bytes`)
      }
      handle.close()
    },
  },
  {
    name: 'decryptRow opens what node:crypto sealed',
    run({ crypto }) {
      const { handle, bytes } = knownKey(crypto)
      for (const length of LENGTHS) {
        const dataRowKey = random(32)
        const plaintext = random(length)
        const [encryptedKey, data] = [independentSeal(dataRowKey, bytes), independentSeal(plaintext, dataRowKey)]
        assertBytes(crypto.decryptRow(handle, encryptedKey, data), plaintext, `a payload of ${length} bytes`)
      }
      handle.close()
    },
  },
  {
    name: 'a view is encrypted as what it shows; results share no memory',
    run({ crypto }) {
      const key = crypto.generateKey()
      const memory = random(300)
      const before = new Uint8Array(memory)
      const views = [
        memory.subarray(100, 200),
        Buffer.from('a slice of the pool'),
        new Uint8Array(memory.buffer, 7, 13),
      ]
      for (const view of views) {
        const expected = new Uint8Array(view)
        const { encryptedKey, data } = crypto.encryptRow(key, view)
        const first = crypto.decryptRow(key, encryptedKey, data)
        const second = crypto.decryptRow(key, encryptedKey, data)
        assertBytes(first, expected, 'the view')
        first.fill(0)
        assertBytes(second, expected, 'the second result after the first was wiped')
      }
      assertBytes(memory, before, 'the memory around the views')
      key.close()
    },
  },
  {
    name: `data row keys and nonces of ${MANY} rows are all fresh (D-098)`,
    run({ crypto }) {
      const { handle, bytes } = knownKey(crypto)
      const nonces = new Set<string>()
      const keys = new Set<string>()
      const plaintext = random(20)
      for (let i = 0; i < MANY; i++) {
        const { encryptedKey, data } = crypto.encryptRow(handle, plaintext)
        nonces.add(nonceOf(encryptedKey)).add(nonceOf(data))
        keys.add(Buffer.from(independentOpen(encryptedKey, bytes)).toString('hex'))
      }
      assert.equal(keys.size, MANY, 'data row keys that differ')
      assert.equal(nonces.size, 2 * MANY, 'nonces that differ')
      assert.ok(!keys.has('00'.repeat(32)), 'a data row key of zeros')
      handle.close()
    },
  },
  {
    name: 'decryptRow with any byte of either blob altered is a DecryptionError (D-097)',
    run({ crypto }) {
      const key = crypto.generateKey()
      const { encryptedKey, data } = crypto.encryptRow(key, random(20))
      for (let at = 0; at < encryptedKey.byteLength; at++) {
        const call = (): unknown => crypto.decryptRow(key, flip(encryptedKey, at), data)
        assertThrows(call, 'ERR_ASHERAH_DECRYPTION_FAILED', `byte ${at} of the key altered`)
      }
      for (let at = 0; at < data.byteLength; at++) {
        const call = (): unknown => crypto.decryptRow(key, encryptedKey, flip(data, at))
        assertThrows(call, 'ERR_ASHERAH_DECRYPTION_FAILED', `byte ${at} of the data altered`)
      }
      key.close()
    },
  },
  {
    name: 'parts of two rows, and another key, are a DecryptionError (D-097)',
    run({ crypto }) {
      const key = crypto.generateKey()
      const a = crypto.encryptRow(key, random(20))
      const b = crypto.encryptRow(key, random(20))
      const wrong: Readonly<Record<string, () => unknown>> = {
        "another row's data": () => crypto.decryptRow(key, a.encryptedKey, b.data),
        "another row's key": () => crypto.decryptRow(key, b.encryptedKey, a.data),
        'another intermediate key': () => crypto.decryptRow(crypto.generateKey(), a.encryptedKey, a.data),
        'the data cut by one byte': () => crypto.decryptRow(key, a.encryptedKey, a.data.slice(0, -1)),
        'one byte more': () => crypto.decryptRow(key, a.encryptedKey, new Uint8Array([...a.data, 0])),
      }
      for (const [what, call] of Object.entries(wrong)) assertThrows(call, 'ERR_ASHERAH_DECRYPTION_FAILED', what)
      key.close()
    },
  },
  {
    name: 'blobs that are too short to be authentic are typed errors (D-089)',
    run({ crypto }) {
      const key = crypto.generateKey()
      const { encryptedKey, data } = crypto.encryptRow(key, random(20))
      const typed = ['ERR_ASHERAH_DECRYPTION_FAILED', 'ERR_ASHERAH_INVALID_INPUT'] as const
      for (let length = 0; length <= OVERHEAD; length++) {
        assertThrows(() => crypto.decryptRow(key, encryptedKey, random(length)), typed, `data of ${length} bytes`)
        assertThrows(() => crypto.decryptRow(key, random(length), data), typed, `a key of ${length} bytes`)
      }
      key.close()
    },
  },
]
