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
import type { KeyMeta } from '../types.ts'
import { createRandomPool } from './random-pool.ts'
import { createDataRowTemplate, type DataRowTemplate, formatDataRowFromTemplate } from './record-codec.ts'

/** Options of {@link createNodeCrypto}. */
export interface NodeCryptoOptions {
  /** Where keys live. The caller's: it is not closed with the provider. */
  readonly secrets: SecretFactory
  /** Draw random bytes 4 KiB at a time (default true), or for each row. */
  readonly randomPool?: boolean
}

const SCRATCH_BYTES = 65_536

/** Core's own {@link CryptoProvider}: node:crypto over a {@link SecretFactory}. */
export function createNodeCrypto(options: NodeCryptoOptions): CryptoProvider {
  const { secrets } = options
  const random = createRandomPool(options.randomPool ?? true)
  const handles = new Set<NodeKey>()
  let closed = false

  /** One class for each provider: `#secret in key` is then the test that a handle is this provider's own. */
  class NodeKey implements KeyHandle {
    readonly #secret: Secret
    /** What all rows under this key share; made when the key first writes a row's text. */
    #template: DataRowTemplate | undefined
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
    static templateOf(key: KeyHandle, parent: KeyMeta): DataRowTemplate {
      if (!(#secret in key)) throw foreignKey()
      const known = key.#template
      if (known?.parentKeyMeta.created === parent.created && known.parentKeyMeta.keyId === parent.keyId) return known
      key.#template = createDataRowTemplate(parent)
      return key.#template
    }
    static secretOf(key: KeyHandle): Secret {
      if (#secret in key) return key.#secret
      throw foreignKey()
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

  const sealRow = (
    intermediateKey: KeyHandle,
    plaintext: Uint8Array,
    encryptedKey: Uint8Array,
    data: Uint8Array,
  ): void => {
    const slot = random.take()
    try {
      withKey(intermediateKey, (key) => sealInto(encryptedKey, slot.dataRowKey, key, slot.keyNonce))
      sealInto(data, plaintext, toCipherKey(slot.dataRowKey), slot.dataNonce)
    } finally {
      slot.all.fill(0)
    }
  }
  /** Ciphertext on its way into text: reused, since two allocations cost a tenth of a small row. */
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  const scratchKey = Buffer.allocUnsafeSlow(WRAPPED_KEY_BYTES)

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
      sealRow(intermediateKey, plaintext, encryptedKey, data)
      return { encryptedKey, data }
    },
    encryptRowJson(intermediateKey, plaintext, meta) {
      const template = NodeKey.templateOf(intermediateKey, meta.parentKeyMeta)
      const length = plaintext.byteLength + OVERHEAD_BYTES
      const data = length <= scratch.byteLength ? scratch : Buffer.allocUnsafeSlow(length)
      sealRow(intermediateKey, plaintext, scratchKey, data)
      const wrapped = scratchKey.toString('base64')
      return formatDataRowFromTemplate(template, meta.created, wrapped, data.toString('base64', 0, length))
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

function foreignKey(): InvalidInputError {
  return new InvalidInputError('the key handle belongs to another crypto provider')
}
