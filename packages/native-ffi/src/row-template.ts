import { InvalidInputError, type KeyMeta } from '@asherah/core/backend'

/**
 * The part of a row's text that all rows under one intermediate key share: from the quote that ends `Key.Key` to the one
 * that opens `Data` (wire format, data row record).
 *
 * @throws InvalidInputError when the id is empty or not well-formed, or the time is not positive whole seconds.
 */
export function rowTemplate({ keyId, created }: KeyMeta): string {
  if (typeof keyId !== 'string' || keyId === '' || /\p{Surrogate}/u.test(keyId)) {
    throw new InvalidInputError("an intermediate key's keyId must be well-formed text, and not empty")
  }
  if (!Number.isSafeInteger(created) || created < 1) {
    throw new InvalidInputError("an intermediate key's created must be positive whole seconds")
  }
  return `","ParentKeyMeta":{"KeyId":${JSON.stringify(keyId)},"Created":${created}}},"Data":"`
}
