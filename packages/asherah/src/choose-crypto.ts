import { createRequire } from 'node:module'
import type { LoadPackage } from '@asherah/config'
import {
  type CryptoProvider,
  channels,
  createHeapSecrets,
  createNodeCrypto,
  InvalidConfigError,
  type SecretFactory,
} from '@asherah/core/backend'

/** Where keys live: in Rust, in protected memory, or on the heap. */
export type KeyPath = 'native' | 'secure-memory' | 'heap'

/** A crypto provider, and what closes it with its memory. */
export interface ChosenCrypto {
  readonly path: KeyPath
  readonly crypto: CryptoProvider
  close(): void
}

let warned = false

/**
 * The Rust path where it can be loaded, else protected memory, else the heap with one `HEAP_KEYS` warning.
 *
 * @param without A path that is not wanted: shadow mode compares one with the other.
 */
export async function chooseCrypto(load: LoadPackage, without?: KeyPath): Promise<ChosenCrypto> {
  const module = without === 'native' ? undefined : await load(NATIVE).catch(() => undefined)
  return nativeCrypto(module) ?? ownCrypto(await load(SECURE_MEMORY).catch(() => undefined))
}

/** As {@link chooseCrypto}, in this tick. `require` loads ES modules on every Node that this package supports. */
export function chooseCryptoNow(): ChosenCrypto {
  const load = (name: string): unknown => {
    try {
      return createRequire(import.meta.url)(name)
    } catch {
      return undefined // not installed
    }
  }
  return nativeCrypto(load(NATIVE)) ?? ownCrypto(load(SECURE_MEMORY))
}

const NATIVE = '@asherah/native-ffi'
const SECURE_MEMORY = '@asherah/secure-memory'
const KEY_BYTES = 32

function ownCrypto(module: unknown): ChosenCrypto {
  const secrets = protectedSecrets(module)
  if (secrets === undefined && !warned) {
    warned = true
    channels.warning.publish({
      code: 'HEAP_KEYS',
      message:
        'keys are kept on the heap, wiped after use: install @asherah/native-ffi or @asherah/secure-memory to lock them in memory',
    })
  }
  const own = secrets ?? createHeapSecrets()
  const crypto = createNodeCrypto({ secrets: own })
  return {
    path: secrets === undefined ? 'heap' : 'secure-memory',
    crypto,
    close() {
      crypto.close()
      own.close()
    },
  }
}

function nativeCrypto(module: unknown): ChosenCrypto | undefined {
  try {
    if (!isNative(module) || !module.nativeStatus().available) return undefined
    const crypto = module.createNativeCrypto({ mode: 'required' })
    return { path: 'native', crypto, close: () => crypto.close() }
  } catch (error) {
    // A wrong setting of the operator's is told; memory that cannot be locked leads to the next path.
    if (error instanceof InvalidConfigError) throw error
    return undefined
  }
}

function protectedSecrets(module: unknown): SecretFactory | undefined {
  if (!isSecureMemory(module)) return undefined
  let secrets: SecretFactory | undefined
  try {
    secrets = module.createEnclaveMemory()
    // What is missing may show with the first secret: npm installs the package on a Node that is too old for it.
    secrets.createRandom(KEY_BYTES).close()
    return secrets
  } catch {
    closeQuietly(secrets)
    return undefined // no binary for this system, a Node before 22.13, or nothing can be locked
  }
}

function closeQuietly(secrets: SecretFactory | undefined): void {
  try {
    secrets?.close()
  } catch {} // it is not used
}

type Native = Pick<typeof import('@asherah/native-ffi'), 'nativeStatus' | 'createNativeCrypto'>
type SecureMemory = Pick<typeof import('@asherah/secure-memory'), 'createEnclaveMemory'>

function isNative(module: unknown): module is Native {
  return hasFunctions(module, ['nativeStatus', 'createNativeCrypto'])
}

function isSecureMemory(module: unknown): module is SecureMemory {
  return hasFunctions(module, ['createEnclaveMemory'])
}

function hasFunctions(module: unknown, names: readonly string[]): boolean {
  return (
    typeof module === 'object' &&
    module !== null &&
    names.every((name) => typeof Reflect.get(module, name) === 'function')
  )
}
