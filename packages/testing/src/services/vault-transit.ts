import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** An answer that is a refusal, as Vault words it. */
export class VaultRefusal extends Error {
  readonly status: number
  readonly errors: readonly string[]

  constructor(status: number, errors: readonly string[]) {
    super(errors.join(', '))
    this.status = status
    this.errors = errors
  }
}

/** The keys of a Transit engine. */
export interface FakeTransit {
  createKey(name: string): void
  /** Makes a new version, which encrypts from now on. */
  rotateKey(name: string): void
  /** Versions below this no longer decrypt. */
  setMinDecryptionVersion(name: string, version: number): void
}

/** The operations that the HTTP side calls. */
interface Transit extends FakeTransit {
  encrypt(name: string, plaintext: string): { readonly ciphertext: string; readonly key_version: number }
  decrypt(name: string, ciphertext: string): { readonly plaintext: string }
}

const NONCE = 12
const TAG = 16

export function createTransit(): Transit {
  const keys = new Map<string, { readonly versions: Buffer[]; minVersion: number }>()
  const keyOf = (name: string) => {
    const key = keys.get(name)
    if (key === undefined) throw new VaultRefusal(400, ['encryption key not found'])
    return key
  }
  return {
    createKey: (name) => void keys.set(name, { versions: [randomBytes(32)], minVersion: 1 }),
    rotateKey: (name) => void keyOf(name).versions.push(randomBytes(32)),
    setMinDecryptionVersion(name, version) {
      keyOf(name).minVersion = version
    },
    encrypt(name, plaintext) {
      const { versions } = keyOf(name)
      const bytes = Buffer.from(plaintext, 'base64')
      if (bytes.toString('base64') !== plaintext) throw new VaultRefusal(400, ['failed to base64-decode plaintext'])
      const nonce = randomBytes(NONCE)
      const cipher = createCipheriv('aes-256-gcm', versions.at(-1) ?? '', nonce)
      const sealed = Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
      return { ciphertext: `vault:v${versions.length}:${sealed.toString('base64')}`, key_version: versions.length }
    },
    decrypt(name, ciphertext) {
      const { versions, minVersion } = keyOf(name)
      const [, version, text] = /^vault:v(\d+):(.*)$/.exec(ciphertext) ?? []
      if (version === undefined || text === undefined) throw new VaultRefusal(400, ['invalid ciphertext: no prefix'])
      const key = versions[Number(version) - 1]
      if (key === undefined) throw new VaultRefusal(400, ['invalid ciphertext: version is too new'])
      if (Number(version) < minVersion) {
        throw new VaultRefusal(400, ['ciphertext or signature version is disallowed by policy (too old)'])
      }
      const sealed = Buffer.from(text, 'base64')
      if (sealed.toString('base64') !== text)
        throw new VaultRefusal(400, ['invalid ciphertext: could not decode base64'])
      if (sealed.length < NONCE + TAG) throw new VaultRefusal(400, ['invalid ciphertext length'])
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE))
      decipher.setAuthTag(sealed.subarray(-TAG))
      try {
        const bytes = Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()])
        return { plaintext: bytes.toString('base64') }
      } catch {
        throw new VaultRefusal(400, ['cipher: message authentication failed'])
      }
    },
  }
}
