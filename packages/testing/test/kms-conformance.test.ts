import { randomBytes } from 'node:crypto'
import {
  AbortedError,
  AsherahError,
  type Call,
  type KeyManagementService,
  KmsError,
  openAes256Gcm,
  sealAes256Gcm,
} from '@asherah/core/backend'
import { kmsConformance } from '@asherah/testing'
import { describe } from 'vitest'
import { type KmsSubject, kmsChecks, kmsOtherChecks, kmsReopenChecks } from '../src/kms/kms-checks.ts'
import { faultTests, type KnownFault } from './failing-checks.ts'

function checkSignal(call: Call | undefined): void {
  if (call?.signal?.aborted === true) throw new AbortedError('aborted', { cause: call.signal.reason })
}

function localKms(masterKey: Uint8Array): KeyManagementService {
  return {
    async encryptKey(key, call) {
      checkSignal(call)
      return sealAes256Gcm(key, masterKey)
    },
    async decryptKey(blob, call) {
      checkSignal(call)
      try {
        return openAes256Gcm(blob, masterKey)
      } catch (cause) {
        throw cause instanceof AsherahError ? new KmsError('cannot decrypt', { cause }) : cause
      }
    },
  }
}

const MASTER = new Uint8Array(randomBytes(32))
const OTHER = new Uint8Array(randomBytes(32))

kmsConformance({
  name: 'local',
  create: () => localKms(MASTER),
  reopen: () => localKms(MASTER),
  createOther: () => localKms(OTHER),
})

const checks = [...kmsChecks, ...kmsReopenChecks, ...kmsOtherChecks]

type Alter = (kms: KeyManagementService) => Partial<KeyManagementService>

function subject(alter: Alter = () => ({}), other: Uint8Array = OTHER): KmsSubject {
  const open = (masterKey: Uint8Array): KeyManagementService => {
    const kms = localKms(masterKey)
    return { ...kms, ...alter(kms) }
  }
  return { kms: open(MASTER), reopen: async () => open(MASTER), createOther: async () => open(other) }
}

const faults: readonly KnownFault<KmsSubject>[] = [
  {
    fault: 'keys of zeros refused',
    seenBy: ['decryptKey gives back what encryptKey was given'],
    make: () =>
      subject((kms) => ({
        async encryptKey(key, call) {
          if (key.every((byte) => byte === 0)) throw new KmsError('an empty key')
          return kms.encryptKey(key, call)
        },
      })),
  },
  {
    fault: 'options needed',
    seenBy: ['the options of both calls may be left out'],
    make: () =>
      subject((kms) => ({
        async encryptKey(key, call) {
          if (call === undefined) throw new TypeError('cannot read properties of undefined')
          return kms.encryptKey(key, call)
        },
      })),
  },
  {
    fault: 'a key that is only encoded',
    seenBy: ['the blob does not hold the key', 'a blob that is cut', 'under another master key'],
    make: () =>
      subject(() => ({
        encryptKey: async (key) => Buffer.from(Buffer.from(key).toString('base64')),
        decryptKey: async (blob) => new Uint8Array(Buffer.from(Buffer.from(blob).toString(), 'base64')),
      })),
  },
  {
    fault: 'a constant nonce',
    seenBy: ['the blob does not hold the key, and differs each time'],
    make() {
      const seen = new Map<string, Promise<Uint8Array>>()
      return subject((kms) => ({
        async encryptKey(key, call) {
          const name = Buffer.from(key).toString('hex')
          const blob = seen.get(name) ?? kms.encryptKey(new Uint8Array(key), call)
          seen.set(name, blob)
          return blob
        },
      }))
    },
  },
  {
    fault: "the caller's key wiped",
    seenBy: ["the caller's key and blob are neither changed nor kept"],
    make: () =>
      subject((kms) => ({
        async encryptKey(key, call) {
          const blob = await kms.encryptKey(key, call)
          key.fill(0)
          return blob
        },
      })),
  },
  {
    fault: 'keys cached and shared',
    seenBy: ['decryptKey gives 32 bytes in an ArrayBuffer of their own'],
    make() {
      const cache = new Map<string, Promise<Uint8Array>>()
      return subject((kms) => ({
        decryptKey(blob, call) {
          const name = Buffer.from(blob).toString('hex')
          const key = cache.get(name) ?? kms.decryptKey(blob, call)
          cache.set(name, key)
          return key
        },
      }))
    },
  },
  {
    fault: 'a slice of the pool',
    seenBy: ['decryptKey gives 32 bytes in an ArrayBuffer of their own'],
    make: () => subject((kms) => ({ decryptKey: async (blob, call) => Buffer.from(await kms.decryptKey(blob, call)) })),
  },
  {
    fault: 'no authentication',
    seenBy: ['a blob with any byte altered', 'a blob that is cut', 'under another master key'],
    make: () =>
      subject(() => ({
        encryptKey: async (key) =>
          new Uint8Array([...key.map((byte, i) => byte ^ (MASTER[i] ?? 0)), ...randomBytes(28)]),
        decryptKey: async (blob) => blob.slice(0, 32).map((byte, i) => byte ^ (MASTER[i] ?? 0)),
      })),
  },
  {
    fault: 'the tag failure of node:crypto as it is',
    seenBy: ['a blob with any byte altered', 'a blob that is cut', 'under another master key'],
    make: () =>
      subject((kms) => ({
        decryptKey: (blob, call) =>
          kms.decryptKey(blob, call).catch((error: unknown) => {
            throw error instanceof Error ? new Error(error.message) : error
          }),
      })),
  },
  {
    fault: 'one buffer for all calls',
    seenBy: ['20 round trips at once do not mix'],
    make() {
      const buffer = new Uint8Array(32)
      return subject((kms) => ({
        async encryptKey(key, call) {
          buffer.set(key)
          await new Promise((resolve) => setTimeout(resolve, 1))
          return kms.encryptKey(buffer, call)
        },
      }))
    },
  },
  {
    fault: 'signals ignored',
    seenBy: ['a call whose signal is aborted already'],
    make: () =>
      subject((kms) => ({ encryptKey: (key) => kms.encryptKey(key), decryptKey: (blob) => kms.decryptKey(blob) })),
  },
  {
    fault: 'a master key of its own for each client',
    seenBy: ['another client of the same master key decrypts'],
    make: () => ({ ...subject(), reopen: async () => localKms(new Uint8Array(randomBytes(32))) }),
  },
  {
    fault: 'one master key for all',
    seenBy: ['under another master key a blob is a KmsError'],
    make: () => subject(undefined, MASTER),
  },
]

describe('the KMS kit', () => {
  faultTests(checks, subject, faults)
})
