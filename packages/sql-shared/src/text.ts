import { InvalidInputError } from '@asherah/core/backend'

/** The last second that `YYYY-MM-DD HH:MM:SS` can say: 9999-12-31 23:59:59. */
export const MAX_CREATED = 253_402_300_799

/** Half of a surrogate pair: such text has no UTF-8 bytes. */
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Unix seconds as UTC text, `YYYY-MM-DD HH:MM:SS`.
 *
 * @param seconds 0 to {@link MAX_CREATED}.
 */
export function utcText(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 19).replace('T', ' ')
}

/** True for text that a server can take: not empty, well-formed, without NUL. */
export function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !LONE_SURROGATE.test(value) && !value.includes('\0')
}

/** @throws InvalidInputError when it is not text that can be stored. */
export function checkKeyId(keyId: unknown): void {
  if (!isPlainText(keyId)) throw new InvalidInputError('a key id must be non-empty, well-formed text without NUL')
}

/** @throws InvalidInputError when it is not whole Unix seconds, 1 or more. */
export function checkCreated(created: unknown): void {
  if (!Number.isSafeInteger(created) || Number(created) < 1) {
    throw new InvalidInputError('created must be a whole number of Unix seconds, 1 or more')
  }
}
