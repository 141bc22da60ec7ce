import {
  type CryptoProvider,
  channels,
  createHeapSecrets,
  createNodeCrypto,
  InvalidConfigError,
} from '@asherah/core/backend'
import { type LoadResult, loadNative, PATH_VARIABLE } from './loader.ts'
import { createNativeProvider } from './native-provider.ts'
import { checkOptions, type NativeCryptoOptions, type NativeSettings } from './options.ts'

/**
 * Crypto in native code: keys live in locked memory, and a row is one call.
 *
 * Give it to a `SessionFactory` as `crypto`, and close it after the factory.
 *
 * @throws InvalidConfigError for an unknown or wrong option; with `mode: 'required'` also when no binary can be loaded,
 * naming every place that was tried.
 * @throws SecureMemoryError when a binary was loaded and not even one page of memory can be locked (`allowUnlocked`).
 * @example
 * const crypto = createNativeCrypto()
 * const factory = new SessionFactory({ service: 'billing', product: 'shop', metastore, kms, crypto })
 */
export function createNativeCrypto(options: NativeCryptoOptions = {}): CryptoProvider {
  const settings = checkOptions(options, process.env)
  if (settings.mode === 'off') return createFallback(settings)
  const result = loadNative(settings.path, process.env)
  if (result.loaded !== undefined) return createNativeProvider(result.loaded.native, settings)
  if (settings.mode === 'required') {
    throw new InvalidConfigError(`the native code is required and not available: ${explain(result)}`)
  }
  warnOnce(result)
  return createFallback(settings)
}

const warned = new Set<LoadResult>()

function warnOnce(result: LoadResult): void {
  if (warned.has(result)) return
  warned.add(result)
  if (!channels.warning.hasSubscribers) return
  channels.warning.publish({
    code: 'NATIVE_UNAVAILABLE',
    message: `the native code is not available, so node:crypto is used: ${explain(result)}`,
  })
}

function explain({ platform, attempts }: LoadResult): string {
  const tried = attempts.map(({ source, place, problem }) => `${source} ${place}: ${problem ?? 'loaded'}`).join('; ')
  return (
    `${tried}. Install the optional package @asherah/native-ffi-${platform}, or build it ` +
    `(\`build:native\` of @asherah/native-ffi, which needs cargo) and name the file in ${PATH_VARIABLE}`
  )
}

/** Core's own crypto. Secrets that are made here are closed with it. */
function createFallback({ secrets, randomPool }: NativeSettings): CryptoProvider {
  if (secrets !== undefined) return createNodeCrypto({ secrets, randomPool })
  const own = createHeapSecrets()
  const crypto = createNodeCrypto({ secrets: own, randomPool })
  return {
    ...crypto,
    close() {
      crypto.close()
      own.close()
    },
  }
}
