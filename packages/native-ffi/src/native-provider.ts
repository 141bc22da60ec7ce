import v8 from 'node:v8'
import { type CryptoProvider, channels, type KeyHandle } from '@asherah/core/backend'
import type { NativeHandle, NativeModule } from './binding.ts'
import { createBatchForms, unsharedBytes } from './native-batches.ts'
import { FAULT, faultError } from './native-faults.ts'
import { createNativeKeys } from './native-key.ts'
import type { NativeSettings } from './options.ts'

/** Results up to this size are left in memory that both sides know, and copied from there: cheaper than a buffer argument. */
const WINDOW_BYTES = 4_096
const KEY_BYTES = 32
const WRAPPED_KEY_BYTES = 60
const WRAPPED_KEY_TEXT = 80
const OVERHEAD_BYTES = 28
/** Payloads from here on are worth another thread. */
const ASYNC_FROM_BYTES = 65_536
const EQUALS = 0x3d

// Since Node 22.15 and 23.10.
const isOneByte: unknown = Reflect.get(v8, 'isStringOneByteRepresentation')

/**
 * A `CryptoProvider` over the native code.
 *
 * @throws SecureMemoryError when not even one page of memory can be locked.
 */
export function createNativeProvider(native: NativeModule, settings: NativeSettings): CryptoProvider {
  // With a buffer from the start: a small array without one lives on V8's heap, and moves.
  const window = new Uint8Array(new ArrayBuffer(WINDOW_BYTES))
  const made = native.createProvider(window, settings.throwAtLimit, settings.allowUnlocked, !settings.randomPool)
  if (typeof made === 'number') throw faultError(native, made)
  const { encryptRow, encryptRowJson, decryptRow, decryptRowJson, decryptRowBytes } = made
  warnIfUnlocked(native)

  let closed = false
  const fail = (result: number): never => {
    throw faultError(native, result)
  }
  const check = (result: number): number => (result < 0 ? fail(result) : result)
  const keys = createNativeKeys(made, () => closed, check)
  const { handleOf, writerOf } = keys

  let warnedOfLimit = settings.throwAtLimit
  const keyOf = (handle: NativeHandle): KeyHandle => {
    const key = keys.wrap(check(handle))
    if (!warnedOfLimit && made.sealedKeys() > 0) {
      warnedOfLimit = true
      warn(
        'LOCK_LIMIT_REACHED',
        'no more memory can be locked: further keys are kept encrypted in ordinary memory, under a key that is locked',
      )
    }
    return key
  }
  /** A result that the native code left in the window, which is zero again afterwards. */
  const fromWindow = (length: number): Uint8Array => {
    const result = window.slice(0, length)
    window.fill(0, 0, length)
    return result
  }

  const decrypt = (intermediateKey: KeyHandle, encryptedKey: Uint8Array, data: Uint8Array): Uint8Array => {
    const handle = handleOf(intermediateKey)
    const [wrapped, sealed] = [unsharedBytes(encryptedKey), unsharedBytes(data)]
    const length = sealed.byteLength - OVERHEAD_BYTES
    if (length <= WINDOW_BYTES) return fromWindow(check(decryptRow(handle, wrapped, sealed)))
    const target = new Uint8Array(length)
    check(decryptRow(handle, wrapped, sealed, target))
    return target
  }
  const decryptText = (intermediateKey: KeyHandle, json: string | Uint8Array, spans: Uint32Array): Uint8Array => {
    const handle = handleOf(intermediateKey)
    // By index: destructuring would iterate.
    const keyStart = spans[0] ?? 0
    const dataStart = spans[2] ?? 0
    const dataEnd = spans[3] ?? 0
    const isText = typeof json === 'string'
    const source = isText ? json : unsharedBytes(json)
    if ((spans[1] ?? 0) - keyStart !== WRAPPED_KEY_TEXT) return fail(-FAULT.wrappedLength)
    // Before anything as long as the spans say is made.
    if (dataEnd > source.length || dataStart > dataEnd) return fail(-FAULT.spans)
    const at = (place: number): number => (isText ? json.charCodeAt(place) : (json[place] ?? 0))
    const padding = at(dataEnd - 1) !== EQUALS ? 0 : at(dataEnd - 2) !== EQUALS ? 1 : 2
    const length = ((dataEnd - dataStart) >>> 2) * 3 - padding - OVERHEAD_BYTES
    const target = length <= WINDOW_BYTES ? undefined : new Uint8Array(length)
    let result: number
    if (typeof source !== 'string') {
      result =
        target === undefined
          ? decryptRowBytes(handle, source, keyStart, dataStart, dataEnd)
          : decryptRowBytes(handle, source, keyStart, dataStart, dataEnd, target)
    } else {
      const oneByte = typeof isOneByte === 'function' && isOneByte(source) === true
      const units = source.length
      result =
        target === undefined
          ? decryptRowJson(handle, source, units, oneByte, keyStart, dataStart, dataEnd)
          : decryptRowJson(handle, source, units, oneByte, keyStart, dataStart, dataEnd, target)
    }
    check(result)
    return target ?? fromWindow(result)
  }

  const provider: CryptoProvider = {
    kind: 'native-ffi',
    generateKey: () => keyOf(made.generateKey()),
    importKey(bytes) {
      try {
        return keyOf(made.importKey(bytes))
      } finally {
        bytes.fill(0)
      }
    },
    async exportKey(key, use) {
      const bytes = new Uint8Array(new ArrayBuffer(KEY_BYTES))
      try {
        check(made.exportKey(handleOf(key), bytes))
        return await use(bytes)
      } finally {
        bytes.fill(0)
      }
    },
    wrapKey(key, parent) {
      check(made.wrapKey(handleOf(key), handleOf(parent)))
      return fromWindow(WRAPPED_KEY_BYTES)
    },
    unwrapKey: (wrapped, parent) => keyOf(made.unwrapKey(unsharedBytes(wrapped), handleOf(parent))),
    encryptRow(intermediateKey, plaintext) {
      const handle = handleOf(intermediateKey)
      const length = plaintext.byteLength + OVERHEAD_BYTES
      if (WRAPPED_KEY_BYTES + length <= WINDOW_BYTES) {
        check(encryptRow(handle, plaintext))
        return {
          encryptedKey: window.slice(0, WRAPPED_KEY_BYTES),
          data: window.slice(WRAPPED_KEY_BYTES, WRAPPED_KEY_BYTES + length),
        }
      }
      const data = new Uint8Array(length)
      check(encryptRow(handle, plaintext, data))
      return { encryptedKey: window.slice(0, WRAPPED_KEY_BYTES), data }
    },
    decryptRow: decrypt,
    encryptRowJson(intermediateKey, plaintext, meta) {
      const text = encryptRowJson(writerOf(intermediateKey, meta.parentKeyMeta), plaintext, meta.created)
      return typeof text === 'string' ? text : fail(text)
    },
    decryptRowJson: decryptText,
    async encryptRowJsonAsync(intermediateKey, plaintext, meta) {
      const handle = writerOf(intermediateKey, meta.parentKeyMeta)
      const begun =
        plaintext.byteLength < ASYNC_FROM_BYTES ? 0 : made.encryptRowJsonAsync(handle, plaintext, meta.created)
      const text =
        typeof begun === 'number' ? check(begun) || encryptRowJson(handle, plaintext, meta.created) : await begun
      return typeof text === 'string' ? text : fail(text)
    },
    async decryptRowAsync(intermediateKey, encryptedKey, data) {
      const length = data.byteLength - OVERHEAD_BYTES
      if (length < ASYNC_FROM_BYTES) return decrypt(intermediateKey, encryptedKey, data)
      const target = new Uint8Array(length)
      const handle = handleOf(intermediateKey)
      const begun = made.decryptRowAsync(handle, unsharedBytes(encryptedKey), unsharedBytes(data), target)
      if (typeof begun === 'number') {
        check(begun)
        return decrypt(intermediateKey, encryptedKey, data)
      }
      check(await begun)
      return target
    },
    ...createBatchForms(made, keys, check),
    stats: () => ({ lockedBytes: native.memory().lockedBytes }),
    close() {
      closed = true
      check(made.close())
    },
  }
  return provider
}

function warnIfUnlocked(native: NativeModule): void {
  if (native.memory().locked === 1) return
  warn('MEMORY_NOT_LOCKED', 'no memory can be locked, which allowUnlocked permits: keys may be swapped to disk')
}

function warn(code: string, message: string): void {
  if (channels.warning.hasSubscribers) channels.warning.publish({ code, message })
}
