import {
  type AsherahError,
  ClosedError,
  DecryptionError,
  InvalidInputError,
  SecureMemoryError,
} from '@asherah/core/backend'
import type { NativeModule } from './binding.ts'

/** The codes of `crate/src/fault.rs`. */
export const FAULT = {
  argument: 1,
  keyLength: 2,
  wrappedLength: 3,
  authentication: 4,
  keyClosed: 5,
  providerClosed: 6,
  base64: 7,
  spans: 8,
  tooLong: 9,
  rowForm: 10,
  lockLimit: 11,
  unlockable: 12,
  damaged: 13,
  forked: 14,
  random: 15,
  outOfMemory: 16,
  panic: 17,
  nodeApi: 18,
} as const

/** Faults of one item of a batch have its place, counted from 1, above these bits. */
const CODES = 32

/** A caller's mistake, as its error is to be made. */
const INPUT: Readonly<Record<number, string>> = {
  [FAULT.argument]: 'an argument has a type or a value that the native crypto provider does not take',
  [FAULT.keyLength]: 'a key is 32 bytes',
  [FAULT.wrappedLength]: 'a wrapped key is 60 bytes',
  [FAULT.base64]: 'the data row record: Key.Key and Data must be standard base64 with padding, in canonical form',
  [FAULT.spans]: 'the spans or the ends do not lie within what they point into',
  [FAULT.tooLong]: 'the result is longer than one JavaScript string or buffer can be',
  [FAULT.rowForm]: 'the row is not of the common form of a data row record: decrypt it by itself',
}

/**
 * The typed error of a negative result.
 *
 * @param result What a native function returned, below zero.
 */
export function faultError(native: NativeModule, result: number): AsherahError {
  const code = -result % CODES
  const item = Math.floor(-result / CODES)
  const where = item === 0 ? '' : `row ${item - 1} of the batch: `
  const input = INPUT[code]
  if (input !== undefined) return new InvalidInputError(where + input)
  switch (code) {
    case FAULT.authentication:
      return new DecryptionError(
        `${where}the authentication tag does not verify: the record was altered, or its parts belong to different records`,
      )
    case FAULT.keyClosed:
      return new ClosedError('the key handle is closed')
    case FAULT.providerClosed:
      return new ClosedError('the crypto provider is closed')
    case FAULT.forked:
      return new ClosedError('this process is a fork: the keys of a crypto provider stay with the process that made it')
    case FAULT.lockLimit:
      return new SecureMemoryError(
        `no further key can be locked in memory: ${limitOf(native)}; or leave onLockLimit at 'encrypt'`,
      )
    case FAULT.unlockable:
      return new SecureMemoryError(
        `not even one page of memory can be locked: ${limitOf(native)}; or give allowUnlocked: true, and keys may be swapped to disk`,
      )
    case FAULT.damaged:
      return new SecureMemoryError('memory that holds keys was overwritten: end this process')
    case FAULT.random:
      return new SecureMemoryError('the system gave no random bytes')
    case FAULT.outOfMemory:
      return new SecureMemoryError('the system gave no memory')
    case FAULT.panic:
      return new SecureMemoryError(`the native code failed at ${native.lastPanic()} and was stopped: please report it`)
    default:
      return new SecureMemoryError(`the native code failed with code ${code}: please report it`)
  }
}

function limitOf(native: NativeModule): string {
  const { limitBytes, lockedBytes } = native.memory()
  const limit = limitBytes < 0 ? 'there is no limit' : `the limit is ${limitBytes} bytes`
  return `${limit}, and this library has locked ${lockedBytes}. Raise it (\`ulimit -l\`, \`LimitMEMLOCK\`, or the container's memlock ulimit)`
}
