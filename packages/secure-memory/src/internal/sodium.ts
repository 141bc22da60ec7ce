import { createRequire } from 'node:module'
import { SecureMemoryError } from '@asherah/core/backend'

/** What we use of sodium-native 5. */
export interface Sodium {
  /** A page set of its own between guard pages, with a canary; locked if the system allows it, which it does not say. */
  sodium_malloc(size: number): Buffer
  /** Ends the process when the canary is damaged. The memory is unmapped in a later turn of the event loop. */
  sodium_free(buffer: SecureBuffer): void
  /** Throws past the limit. A second lock of locked memory is no change. */
  sodium_mlock(view: Uint8Array): void
  /** Wipes, too. */
  sodium_munlock(view: Uint8Array): void
  sodium_mprotect_noaccess(view: Uint8Array): void
  sodium_mprotect_readonly(view: Uint8Array): void
  sodium_mprotect_readwrite(view: Uint8Array): void
  /** From the system's CSPRNG. */
  randombytes_buf(view: Uint8Array): void
  /** BLAKE2b of `input`, as long as `output`. */
  crypto_generichash(output: Uint8Array, input: Uint8Array): void
  crypto_aead_chacha20poly1305_ietf_encrypt(
    ciphertext: Uint8Array,
    message: Uint8Array,
    additional: null,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
  /** Throws when the tag does not verify. */
  crypto_aead_chacha20poly1305_ietf_decrypt(
    message: Uint8Array,
    secretNonce: null,
    ciphertext: Uint8Array,
    additional: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
}

/** `sodium_free` passes over what has no such mark. */
export type SecureBuffer = Buffer & { readonly secure: true }

const FUNCTIONS = [
  'sodium_malloc',
  'sodium_free',
  'sodium_mlock',
  'sodium_munlock',
  'sodium_mprotect_noaccess',
  'sodium_mprotect_readonly',
  'sodium_mprotect_readwrite',
  'randombytes_buf',
  'crypto_generichash',
  'crypto_aead_chacha20poly1305_ietf_encrypt',
  'crypto_aead_chacha20poly1305_ietf_decrypt',
] as const

const require: NodeJS.Require = createRequire(import.meta.url)
let loaded: Sodium | undefined

/**
 * Loads sodium-native when it is first needed: an import of this package works where there is no binary.
 *
 * @throws SecureMemoryError where sodium-native has no binary that runs here.
 */
export function loadSodium(): Sodium {
  loaded ??= load()
  return loaded
}

function load(): Sodium {
  const place = `${process.platform}-${process.arch}`
  let module: unknown
  try {
    module = require('sodium-native')
  } catch (cause) {
    throw new SecureMemoryError(
      `sodium-native cannot be loaded on ${place}: it has binaries for glibc Linux, macOS and Windows on x64 and arm64, ` +
        'and none for musl (Alpine). Use a glibc image, or createHeapSecrets of @asherah/core/backend, which locks nothing',
      { cause },
    )
  }
  if (!isSodium(module)) {
    throw new SecureMemoryError(
      'the sodium-native that is installed lacks functions of 5.1: install version 5.1 or newer',
    )
  }
  // A small object of our own: the module's has 200 properties, and looking one up in it costs as much as a short call.
  const {
    sodium_malloc,
    sodium_free,
    sodium_mlock,
    sodium_munlock,
    sodium_mprotect_noaccess,
    sodium_mprotect_readonly,
    sodium_mprotect_readwrite,
    randombytes_buf,
    crypto_generichash,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_aead_chacha20poly1305_ietf_decrypt,
  } = module
  return {
    sodium_malloc,
    sodium_free,
    sodium_mlock,
    sodium_munlock,
    sodium_mprotect_noaccess,
    sodium_mprotect_readonly,
    sodium_mprotect_readwrite,
    randombytes_buf,
    crypto_generichash,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_aead_chacha20poly1305_ietf_decrypt,
  }
}

function isSodium(module: unknown): module is Sodium {
  return (
    typeof module === 'object' &&
    module !== null &&
    FUNCTIONS.every((name) => name in module && typeof Reflect.get(module, name) === 'function')
  )
}
