import { InvalidConfigError, offHeapBytes, offHeapCopy } from '@asherah/core/backend'

/** Bytes of a master key. */
const MASTER_KEY_BYTES = 32
/** What every Asherah implementation uses in its tests: it stands in public repositories. */
const PUBLIC_TEST_KEY = 'thisIsAStaticMasterKeyForTesting'
const HEX_KEY = /^[0-9a-fA-F]{64}$/

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
  if (isWeak(key)) {
    key.fill(0)
    throw new InvalidConfigError('the secret is the public test key of Asherah, or one byte repeated')
  }
  return key
}

/** Strictly 64 digits: no prefix, sign or white space inside (D-080). */
function fromHex(digits: string): Uint8Array {
  if (!HEX_KEY.test(digits)) {
    const hint = /^0x/i.test(digits) ? ' (leave out the 0x)' : /\s/.test(digits) ? ' (leave out the white space)' : ''
    throw new InvalidConfigError(`the SecretString must be exactly 64 hex digits${hint}`)
  }
  const key = offHeapBytes(MASTER_KEY_BYTES)
  for (let i = 0; i < MASTER_KEY_BYTES; i++) key[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return key
}

function isWeak(key: Uint8Array): boolean {
  const testKey = new TextEncoder().encode(PUBLIC_TEST_KEY)
  return key.every((byte) => byte === key[0]) || key.every((byte, i) => byte === testKey[i])
}
