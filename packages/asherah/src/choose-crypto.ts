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
  const native = without === 'native' ? undefined : await nativeCrypto(load)
  if (native !== undefined) return native
  const secrets = await protectedSecrets(load)
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

async function nativeCrypto(load: LoadPackage): Promise<ChosenCrypto | undefined> {
  try {
    const loaded = await loadTyped(load, '@asherah/native-ffi', isNative)
    if (loaded === undefined || !loaded.nativeStatus().available) return undefined
    const crypto = loaded.createNativeCrypto({ mode: 'required' })
    return { path: 'native', crypto, close: () => crypto.close() }
  } catch (error) {
    // A wrong setting of the operator's is told; memory that cannot be locked leads to the next path.
    if (error instanceof InvalidConfigError) throw error
    return undefined
  }
}

async function protectedSecrets(load: LoadPackage): Promise<SecretFactory | undefined> {
  try {
    return (await loadTyped(load, '@asherah/secure-memory', isSecureMemory))?.createEnclaveMemory()
  } catch {
    return undefined // no binary for this system, or nothing can be locked
  }
}

type Native = Pick<typeof import('@asherah/native-ffi'), 'nativeStatus' | 'createNativeCrypto'>
type SecureMemory = Pick<typeof import('@asherah/secure-memory'), 'createEnclaveMemory'>

async function loadTyped<T>(
  load: LoadPackage,
  name: string,
  fits: (module: unknown) => module is T,
): Promise<T | undefined> {
  const module = await load(name).catch(() => undefined)
  return fits(module) ? module : undefined
}

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
