import {
  type CipherKey,
  KEY_BYTES,
  OVERHEAD_BYTES,
  open,
  sealInto,
  toCipherKey,
  WRAPPED_KEY_BYTES,
} from '../aes-256-gcm.ts'
import type { CryptoProvider, KeyHandle } from '../contracts/crypto-provider.ts'
import type { Secret, SecretFactory } from '../contracts/secret.ts'
import { ClosedError, InvalidInputError } from '../errors.ts'
import { createRandomPool } from './random-pool.ts'

/** Options of {@link createNodeCrypto}. */
export interface NodeCryptoOptions {
  /** Where keys live. The caller's: it is not closed with the provider. */
  readonly secrets: SecretFactory
  /** Draw random bytes 4 KiB at a time (default true), or for each row. */
  readonly randomPool?: boolean
}

/** Core's own {@link CryptoProvider}: node:crypto over a {@link SecretFactory}. */
export function createNodeCrypto(options: NodeCryptoOptions): CryptoProvider {
  const { secrets } = options
  const random = createRandomPool(options.randomPool ?? true)
  const handles = new Set<NodeKey>()
  let closed = false

  /** One class for each provider: `#secret in key` is then the test that a handle is this provider's own. */
  class NodeKey implements KeyHandle {
    readonly #secret: Secret
    constructor(secret: Secret) {
      this.#secret = secret
      handles.add(this)
    }
    get closed(): boolean {
      return this.#secret.closed
    }
    close(): void {
      this.#secret.close()
      handles.delete(this)
    }
    static secretOf(key: KeyHandle): Secret {
      if (#secret in key) return key.#secret
      throw new InvalidInputError('the key handle belongs to another crypto provider')
    }
  }

  const checkOpen = (): void => {
    if (closed) throw new ClosedError('the crypto provider is closed')
  }
  const withKey = <T>(key: KeyHandle, use: (key: CipherKey) => T): T => {
    const secret = NodeKey.secretOf(key)
    // A heap secret keeps its KeyObject: building one for each row would cost half of a small row's time.
    if (secret.keyObject !== undefined) return use(secret.keyObject())
    return secret.withBytes((bytes) => use(toCipherKey(bytes)))
  }
  const unwrap = (wrapped: Uint8Array, parent: KeyHandle): Uint8Array => {
    if (wrapped.byteLength !== WRAPPED_KEY_BYTES) {
      throw new InvalidInputError(`a wrapped key is ${WRAPPED_KEY_BYTES} bytes, not ${wrapped.byteLength}`)
    }
    return withKey(parent, (key) => open(wrapped, key))
  }

  return {
    kind: 'node:crypto',
    generateKey() {
      checkOpen()
      return new NodeKey(secrets.createRandom(KEY_BYTES))
    },
    importKey(bytes) {
      try {
        checkOpen()
        if (bytes.byteLength !== KEY_BYTES) {
          throw new InvalidInputError(`a key is ${KEY_BYTES} bytes, not ${bytes.byteLength}`)
        }
        return new NodeKey(secrets.fromBytes(bytes))
      } finally {
        bytes.fill(0)
      }
    },
    exportKey(key, use) {
      return NodeKey.secretOf(key).withBytesAsync(use)
    },
    wrapKey(key, parent) {
      const wrapped = new Uint8Array(WRAPPED_KEY_BYTES)
      const slot = random.take()
      try {
        NodeKey.secretOf(key).withBytes((bytes) =>
          withKey(parent, (outer) => sealInto(wrapped, bytes, outer, slot.keyNonce)),
        )
      } finally {
        slot.all.fill(0)
      }
      return wrapped
    },
    unwrapKey(wrapped, parent) {
      checkOpen()
      return new NodeKey(secrets.fromBytes(unwrap(wrapped, parent)))
    },
    encryptRow(intermediateKey, plaintext) {
      const encryptedKey = new Uint8Array(WRAPPED_KEY_BYTES)
      const data = new Uint8Array(plaintext.byteLength + OVERHEAD_BYTES)
      const slot = random.take()
      try {
        withKey(intermediateKey, (key) => sealInto(encryptedKey, slot.dataRowKey, key, slot.keyNonce))
        sealInto(data, plaintext, toCipherKey(slot.dataRowKey), slot.dataNonce)
      } finally {
        slot.all.fill(0)
      }
      return { encryptedKey, data }
    },
    decryptRow(intermediateKey, encryptedKey, data) {
      const dataRowKey = unwrap(encryptedKey, intermediateKey)
      try {
        return open(data, toCipherKey(dataRowKey))
      } finally {
        dataRowKey.fill(0)
      }
    },
    close() {
      closed = true
      random.drain()
      for (const key of handles) key.close()
    },
  }
}
