/** A key in the native code: never another key, once closed. Negative where a call failed: see `native-faults.ts`. */
export type NativeHandle = number

/** 0 or a result where a call worked; a negative code where it did not. */
export type NativeCode = number

/** The functions of one provider: `crate/src/node/*_functions.rs` has the other side of each. */
export interface NativeFunctions {
  readonly generateKey: () => NativeHandle
  readonly importKey: (bytes: Uint8Array) => NativeHandle
  readonly exportKey: (key: NativeHandle, target: Uint8Array) => NativeCode
  /** The wrapped key is then in the window. */
  readonly wrapKey: (key: NativeHandle, parent: NativeHandle) => NativeCode
  readonly unwrapKey: (wrapped: Uint8Array, parent: NativeHandle) => NativeHandle
  readonly closeKey: (key: NativeHandle) => NativeCode
  readonly setTemplate: (key: NativeHandle, middle: string) => NativeCode
  /** How many open keys are encrypted in ordinary memory. */
  readonly sealedKeys: () => NativeCode
  readonly close: () => NativeCode

  /** @returns the data's length. The wrapped key is then in the window, and so is the data, unless there is a `target`. */
  readonly encryptRow: (key: NativeHandle, plaintext: Uint8Array, target?: Uint8Array) => NativeCode
  readonly encryptRowJson: (key: NativeHandle, plaintext: Uint8Array, created: number) => string | NativeCode
  /** @returns the plaintext's length. It is then in the window, unless there is a `target`. */
  readonly decryptRow: (key: NativeHandle, wrapped: Uint8Array, data: Uint8Array, target?: Uint8Array) => NativeCode
  /** As {@link decryptRow}. */
  readonly decryptRowJson: (
    key: NativeHandle,
    json: string,
    length: number,
    oneByte: boolean,
    keyStart: number,
    dataStart: number,
    dataEnd: number,
    target?: Uint8Array,
  ) => NativeCode
  /** As {@link decryptRow}. */
  readonly decryptRowBytes: (
    key: NativeHandle,
    json: Uint8Array,
    keyStart: number,
    dataStart: number,
    dataEnd: number,
    target?: Uint8Array,
  ) => NativeCode

  /** 0: nothing was begun, use the synchronous form. */
  readonly encryptRowJsonAsync: (
    key: NativeHandle,
    plaintext: Uint8Array,
    created: number,
  ) => Promise<string | NativeCode> | NativeCode
  /** 0: nothing was begun, use the synchronous form. */
  readonly decryptRowAsync: (
    key: NativeHandle,
    wrapped: Uint8Array,
    data: Uint8Array,
    target: Uint8Array,
  ) => Promise<NativeCode> | NativeCode

  readonly sealedLength: (key: NativeHandle, packed: Uint8Array, ends: Uint32Array, created: number) => NativeCode
  readonly encryptRowsPacked: (
    key: NativeHandle,
    packed: Uint8Array,
    ends: Uint32Array,
    created: number,
    target: Uint8Array,
    targetEnds: Uint32Array,
  ) => NativeCode
  readonly openedLength: (key: NativeHandle, packed: Uint8Array, ends: Uint32Array) => NativeCode
  readonly decryptRowsPacked: (
    key: NativeHandle,
    packed: Uint8Array,
    ends: Uint32Array,
    target: Uint8Array,
    targetEnds: Uint32Array,
  ) => NativeCode
}

/** What the native code counts; flags are 0 or 1. */
export interface NativeCounts {
  readonly providers: number
  readonly keys: number
  readonly mostKeys: number
  readonly sealedKeys: number
  readonly locked: number
  readonly lockVerified: number
  readonly outOfDumps: number
  readonly keptFromChildren: number
  readonly intact: number
  readonly lockedBytes: number
  readonly mostLockedBytes: number
  /** -1: there is no limit. */
  readonly limitBytes: number
}

/** What a native binary exports. */
export interface NativeModule {
  readonly version: string
  /** @param window Memory that this package keeps to itself: small results are left there. */
  readonly createProvider: (
    window: Uint8Array,
    throwAtLimit: boolean,
    allowUnlocked: boolean,
    unpooledRandom: boolean,
  ) => NativeFunctions | NativeCode
  readonly memory: () => NativeCounts
  /** Where in the native code the last caught panic was. */
  readonly lastPanic: () => string
}

/** True for what a native binary of this package exports, of any version that could be told apart by its `version`. */
export function isNativeModule(value: unknown): value is NativeModule {
  if (typeof value !== 'object' || value === null) return false
  const isFunction = (name: string): boolean => typeof Reflect.get(value, name) === 'function'
  return (
    typeof Reflect.get(value, 'version') === 'string' &&
    isFunction('createProvider') &&
    isFunction('memory') &&
    isFunction('lastPanic')
  )
}
