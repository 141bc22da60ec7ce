import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import {
  type CryptoProvider,
  createHeapSecrets,
  createNodeCrypto,
  type KeyHandle,
  type RowMeta,
} from '@asherah/core/backend'
import { cryptoProviderConformance } from '@asherah/testing'
import { describe, expect, test } from 'vitest'
import { selectCryptoChecks } from '../src/crypto/crypto-provider-conformance.ts'
import type { CryptoCapability, CryptoSubject } from '../src/crypto/crypto-subject.ts'
import { failingChecks, faultTests, type KnownFault } from './failing-checks.ts'

const ALL: readonly CryptoCapability[] = [
  'encryptRowJson',
  'decryptRowJson',
  'encryptRowJsonAsync',
  'decryptRowAsync',
  'encryptRowsPacked',
  'decryptRowsPacked',
]

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** Core's provider with every fast form, composed from the basic ones: the kit's checks of them need a subject. */
function fullProvider(alter: (basic: CryptoProvider) => Partial<CryptoProvider> = () => ({})): CryptoProvider {
  const core = createNodeCrypto({ secrets: createHeapSecrets() })
  const basic = { ...core, ...alter(core) }
  const encryptRowJson = (key: KeyHandle, plaintext: Uint8Array, meta: RowMeta): string => {
    const { encryptedKey, data } = basic.encryptRow(key, plaintext)
    const parent = { KeyId: meta.parentKeyMeta.keyId, Created: meta.parentKeyMeta.created }
    return JSON.stringify({
      Key: { Created: meta.created, Key: base64(encryptedKey), ParentKeyMeta: parent },
      Data: base64(data),
    })
  }
  const slice = (json: string | Uint8Array, from = 0, to = 0): Uint8Array => {
    const text = typeof json === 'string' ? json.slice(from, to) : Buffer.from(json.subarray(from, to)).toString()
    return new Uint8Array(Buffer.from(text, 'base64'))
  }
  const each = <T>(packed: Uint8Array, ends: Uint32Array, run: (item: Uint8Array) => T): T[] =>
    [...ends].map((end, i) => run(packed.subarray(i === 0 ? 0 : ends[i - 1], end)))
  const pack = (items: readonly Uint8Array[]): { packed: Uint8Array; ends: Uint32Array } => {
    let end = 0
    return {
      packed: new Uint8Array(Buffer.concat(items)),
      ends: Uint32Array.from(items, (item) => {
        end += item.byteLength
        return end
      }),
    }
  }
  return {
    ...basic,
    encryptRowJson,
    encryptRowJsonAsync: async (key, plaintext, meta) => encryptRowJson(key, plaintext, meta),
    decryptRowJson: (key, json, spans) =>
      basic.decryptRow(key, slice(json, spans[0], spans[1]), slice(json, spans[2], spans[3])),
    decryptRowAsync: async (key, encryptedKey, data) => basic.decryptRow(key, encryptedKey, data),
    encryptRowsPacked: (key, packed, ends) => {
      if (key.closed) basic.encryptRow(key, packed)
      const rows = each(packed, ends, (item) => basic.encryptRow(key, new Uint8Array(item)))
      return pack(rows.map((row) => new Uint8Array([...row.encryptedKey, ...row.data])))
    },
    decryptRowsPacked: (key, packed, ends) =>
      pack(each(packed, ends, (item) => basic.decryptRow(key, item.slice(0, 60), item.slice(60)))),
    ...alter(core),
  }
}

cryptoProviderConformance({ name: 'composed, with every fast form', create: () => fullProvider(), offers: ALL })

function subject(alter?: (basic: CryptoProvider) => Partial<CryptoProvider>): CryptoSubject {
  return { crypto: fullProvider(alter), create: async () => fullProvider(alter) }
}

/** AES-256-GCM with a nonce of one's own. */
function seal(plaintext: Uint8Array, key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  return new Uint8Array([...cipher.update(plaintext), ...cipher.final(), ...cipher.getAuthTag(), ...nonce])
}

function openUnchecked(blob: Uint8Array, key: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(-12))
  return new Uint8Array(decipher.update(blob.subarray(0, -28)))
}

/** A provider whose handles are plain bytes: no wiping, no owner, and blobs of any make. */
function naive(make: {
  nonce?: () => Uint8Array
  dataRowKey?: () => Uint8Array
  layout?: (blob: Uint8Array) => Uint8Array
  open?: typeof openUnchecked
}): CryptoSubject {
  const keys = new WeakMap<KeyHandle, Uint8Array>()
  const nonce = make.nonce ?? (() => new Uint8Array(randomBytes(12)))
  const dataRowKey = make.dataRowKey ?? (() => new Uint8Array(randomBytes(32)))
  const layout = make.layout ?? ((blob) => blob)
  const open = make.open ?? openUnchecked
  const handleOf = (bytes: Uint8Array): KeyHandle => {
    const handle = { closed: false, close: () => {} }
    keys.set(handle, bytes)
    return handle
  }
  const bytesOf = (handle: KeyHandle): Uint8Array => keys.get(handle) ?? new Uint8Array(32)
  const crypto: CryptoProvider = {
    kind: '',
    generateKey: () => handleOf(new Uint8Array(32).fill(1)),
    importKey: (bytes) => handleOf(bytes),
    exportKey: (key, use) => use(bytesOf(key)),
    wrapKey: (key, parent) => layout(seal(bytesOf(key), bytesOf(parent), nonce())),
    unwrapKey: (wrapped, parent) => handleOf(open(wrapped, bytesOf(parent))),
    encryptRow(key, plaintext) {
      const fresh = dataRowKey()
      return { encryptedKey: layout(seal(fresh, bytesOf(key), nonce())), data: layout(seal(plaintext, fresh, nonce())) }
    },
    decryptRow: (key, encryptedKey, data) => open(data, open(encryptedKey, bytesOf(key))),
    close: () => {},
  }
  return { crypto, create: async () => crypto }
}

const faults: readonly KnownFault<CryptoSubject>[] = [
  {
    fault: 'keys that are plain bytes',
    seenBy: [
      'the provider has a kind',
      'importKey takes 32 bytes',
      'importKey of any other length',
      'exportKey shows the bytes',
      'generateKey makes a random key',
      'unwrapKey of a blob with any byte altered',
      'unwrapKey of anything but 60 bytes',
      'a closed handle is a ClosedError',
      "another provider's handle",
      'close ends the provider',
      'decryptRow with any byte of either blob altered',
      'parts of two rows',
      'blobs that are too short',
    ],
    make: () => naive({}),
  },
  {
    fault: 'one nonce for all (D-098)',
    seenBy: ['each wrapKey has a nonce of its own', 'data row keys and nonces'],
    make: () => naive({ nonce: () => new Uint8Array(12).fill(9) }),
  },
  {
    fault: 'one data row key for all',
    seenBy: ['data row keys and nonces'],
    make: () => naive({ dataRowKey: () => new Uint8Array(32).fill(9) }),
  },
  {
    fault: 'the nonce in front',
    seenBy: ['wrapKey gives 60 bytes that node:crypto opens', 'a row is what node:crypto opens'],
    make: () => naive({ layout: (blob) => new Uint8Array([...blob.subarray(-12), ...blob.subarray(0, -12)]) }),
  },
  {
    fault: 'blobs of its own that it alone reads',
    seenBy: ['unwrapKey opens what node:crypto sealed', 'decryptRow opens what node:crypto sealed'],
    make: () =>
      naive({ layout: (blob) => blob.toReversed(), open: (blob, key) => openUnchecked(blob.toReversed(), key) }),
  },
  {
    fault: 'an empty payload short-circuited (D-094)',
    seenBy: ['decryptRow gives back what encryptRow was given'],
    make: () =>
      subject((basic) => ({
        encryptRow: (key, plaintext) =>
          plaintext.byteLength === 0
            ? { encryptedKey: new Uint8Array(), data: plaintext }
            : basic.encryptRow(key, plaintext),
      })),
  },
  {
    fault: 'results in one shared buffer',
    seenBy: ['a view is encrypted as what it shows'],
    make() {
      const shared = new Uint8Array(2_000_000)
      return subject((basic) => ({
        decryptRow(key, encryptedKey, data) {
          const plaintext = basic.decryptRow(key, encryptedKey, data)
          shared.set(plaintext)
          return shared.subarray(0, plaintext.byteLength)
        },
      }))
    },
  },
  {
    fault: 'an encryptRowJson that does not escape',
    seenBy: ['encryptRowJson agrees with decryptRow'],
    make: () =>
      subject((basic) => ({
        encryptRowJson(key, plaintext, meta) {
          const { encryptedKey, data } = basic.encryptRow(key, plaintext)
          const parent = `{"KeyId":"${meta.parentKeyMeta.keyId}","Created":${meta.parentKeyMeta.created}}`
          return `{"Key":{"Created":${meta.created},"Key":"${base64(encryptedKey)}","ParentKeyMeta":${parent}},"Data":"${base64(data)}"}`
        },
      })),
  },
  {
    fault: 'an encryptRowJsonAsync that rounds the times',
    seenBy: ['encryptRowJsonAsync agrees with decryptRow'],
    make: () =>
      subject((basic) => ({
        async encryptRowJsonAsync(key, plaintext, meta) {
          const full = fullProvider(() => basic)
          return full.encryptRowJson?.(key, plaintext, { ...meta, created: meta.created - (meta.created % 60) }) ?? ''
        },
      })),
  },
  {
    fault: 'a decryptRowJson that takes spans for bytes in text',
    seenBy: ['decryptRowJson agrees with encryptRow'],
    make: () =>
      subject((basic) => ({
        decryptRowJson(key, json, spans) {
          const bytes = Buffer.from(json)
          const part = (from = 0, to = 0): Uint8Array => Buffer.from(bytes.subarray(from, to).toString(), 'base64')
          return basic.decryptRow(key, part(spans[0], spans[1]), part(spans[2], spans[3]))
        },
      })),
  },
  {
    fault: 'a decryptRowAsync that does not verify',
    seenBy: ['decryptRowAsync agrees with encryptRow'],
    make: () =>
      subject((basic) => ({
        async decryptRowAsync(key, encryptedKey, data) {
          try {
            return basic.decryptRow(key, encryptedKey, data)
          } catch {
            return new Uint8Array()
          }
        },
      })),
  },
  {
    fault: 'packed rows in another order',
    seenBy: ['decryptRowsPacked gives back what encryptRowsPacked was given'],
    make: () =>
      subject(() => ({
        decryptRowsPacked: (_, packed, ends) => ({ packed: packed.toReversed(), ends: ends.toReversed() }),
      })),
  },
  {
    fault: 'half of the packed forms',
    seenBy: ['decryptRowsPacked comes with encryptRowsPacked'],
    make() {
      const { encryptRowsPacked: _, ...half } = fullProvider()
      return { crypto: half, create: async () => half }
    },
  },
]

describe('the crypto provider kit', () => {
  faultTests(selectCryptoChecks(ALL), subject, faults)

  test('fast forms that are there and not in `offers` are seen', async () => {
    expect(await failingChecks(selectCryptoChecks([]), subject())).toEqual(
      ALL.map((name) => `${name}: not offered, and not there`),
    )
  })
})
