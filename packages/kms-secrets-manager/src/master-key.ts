import {
  decodeHexKey,
  InvalidConfigError,
  isHexKey,
  MASTER_KEY_BYTES,
  offHeapCopy,
  weaknessOf,
} from '@asherah/core/backend'

/** The value of one version of a secret, as Secrets Manager gives it. */
export interface SecretValue {
  readonly SecretString?: string | undefined
  readonly SecretBinary?: Uint8Array | undefined
}

/**
 * The master key that a secret holds: 64 hex digits (one newline after them is let pass), else 32 bytes.
 *
 * @param value its SecretBinary is wiped; its SecretString cannot be.
 * @returns memory of its own, for the caller to wipe.
 * @throws InvalidConfigError that says what is wrong with the form, and nothing of the value.
 */
export function masterKeyFrom({ SecretString, SecretBinary }: SecretValue): Uint8Array {
  let key: Uint8Array | undefined
  try {
    if (SecretString !== undefined) key = fromHex(SecretString.replace(/\r?\n$/, ''))
    else if (SecretBinary?.byteLength === MASTER_KEY_BYTES) key = offHeapCopy(SecretBinary)
  } finally {
    SecretBinary?.fill(0)
  }
  if (key === undefined) {
    const length = SecretBinary === undefined ? 'no value' : `a SecretBinary of ${SecretBinary.byteLength} bytes`
    throw new InvalidConfigError(`the secret has ${length}: it must be ${MASTER_KEY_BYTES} bytes`)
  }
  if (weaknessOf(key) !== undefined) {
    key.fill(0)
    throw new InvalidConfigError('the secret is the public test key of Asherah, or one byte repeated')
  }
  return key
}

/** Strictly 64 digits: no prefix, sign or white space inside (D-080). */
function fromHex(digits: string): Uint8Array {
  if (!isHexKey(digits)) {
    const hint = /^0x/i.test(digits) ? ' (leave out the 0x)' : /\s/.test(digits) ? ' (leave out the white space)' : ''
    throw new InvalidConfigError(`the SecretString must be exactly 64 hex digits${hint}`)
  }
  return decodeHexKey(digits)
}
