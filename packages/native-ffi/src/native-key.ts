import { InvalidInputError, type KeyHandle, type KeyMeta } from '@asherah/core/backend'
import type { NativeFunctions, NativeHandle } from './binding.ts'
import { rowTemplate } from './row-template.ts'

/** The keys of one provider, as JavaScript has them. */
export interface NativeKeys {
  /** Wraps what the native code gave. */
  wrap(handle: NativeHandle): KeyHandle
  /** @throws InvalidInputError for another provider's key, or for anything else. */
  handleOf(key: KeyHandle): NativeHandle
  /** As {@link handleOf}, for writing rows: the native code then knows what their text shares. */
  writerOf(key: KeyHandle, parent: KeyMeta): NativeHandle
}

/** @param isClosed Whether the provider is. */
export function createNativeKeys(
  { closeKey, setTemplate }: NativeFunctions,
  isClosed: () => boolean,
  check: (result: number) => void,
): NativeKeys {
  /** One class for each provider: `#handle in key` is then the test that a key is this provider's own. */
  class NativeKey implements KeyHandle {
    readonly #handle: NativeHandle
    #closed = false
    #keyId = ''
    #created = 0
    constructor(handle: NativeHandle) {
      this.#handle = handle
    }
    get closed(): boolean {
      return this.#closed || isClosed()
    }
    close(): void {
      if (this.#closed) return
      this.#closed = true
      closeKey(this.#handle)
    }
    static handleOf(key: KeyHandle): NativeHandle {
      if (#handle in key) return key.#handle
      throw foreignKey()
    }
    static writerOf(key: KeyHandle, parent: KeyMeta): NativeHandle {
      if (!(#handle in key)) throw foreignKey()
      if (key.#created !== parent.created || key.#keyId !== parent.keyId) {
        const { keyId, created } = parent
        check(setTemplate(key.#handle, rowTemplate({ keyId, created })))
        key.#keyId = keyId
        key.#created = created
      }
      return key.#handle
    }
  }
  return {
    wrap: (handle) => new NativeKey(handle),
    handleOf: NativeKey.handleOf,
    writerOf: NativeKey.writerOf,
  }
}

function foreignKey(): InvalidInputError {
  return new InvalidInputError('the key handle belongs to another crypto provider')
}
