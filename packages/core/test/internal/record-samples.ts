import { AsherahError, InvalidInputError } from '../../src/errors.ts'
import { createDataRowRecord, parseDataRowRecord, type RecordLimits } from '../../src/internal/record-codec.ts'
import type { DataRowRecord } from '../../src/types.ts'

export const IK_ID = '_IK_shopper-123_billing_shop'
export const SK_ID = '_SK_billing_shop'
export const CREATED = 1_795_251_290
export const IK_CREATED = 1_795_251_240

/** Bytes 1, 2, 3 … (never all alike, so that a swap or a shift shows). */
export function bytes(length: number, first = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) % 256)
}

export function base64(of: Uint8Array): string {
  return Buffer.from(of).toString('base64')
}

export const KEY64: string = base64(bytes(60))
export const DATA64: string = base64(bytes(40, 100))

/** A record of 40 bytes of data, and of other parts where they are given. */
export function sampleRecord(parts: { keyId?: string; data?: Uint8Array; created?: number } = {}): DataRowRecord {
  const { keyId = IK_ID, data = bytes(40, 100), created = CREATED } = parts
  return createDataRowRecord({
    key: { created, encryptedKey: bytes(60), parentKeyMeta: { keyId, created: IK_CREATED } },
    data,
  })
}

/** The canonical text of {@link sampleRecord}, written out. */
export const SAMPLE_TEXT: string =
  `{"Key":{"Created":${CREATED},"Key":"${KEY64}",` +
  `"ParentKeyMeta":{"KeyId":"${IK_ID}","Created":${IK_CREATED}}},"Data":"${DATA64}"}`

/** `parseDataRowRecord` for what its type refuses. */
export function parseAny(input: unknown, limits?: Partial<RecordLimits>): DataRowRecord {
  return Reflect.apply(parseDataRowRecord, undefined, [input, limits])
}

/** A record as plain values, for comparisons. */
export function plain(record: DataRowRecord): unknown {
  const { key, data } = record
  return {
    created: key.created,
    encryptedKey: base64(key.encryptedKey),
    keyId: key.parentKeyMeta.keyId,
    parentCreated: key.parentKeyMeta.created,
    data: base64(data),
  }
}

/** The typed error that `action` throws. Fails when it throws nothing, or an error that is not this library's. */
export function errorOf(action: () => unknown): AsherahError {
  let result: unknown
  try {
    result = action()
  } catch (error) {
    if (error instanceof AsherahError) return error
    throw new Error('an untyped error was thrown', { cause: error })
  }
  throw new Error(`nothing was thrown; the result is ${JSON.stringify(result)?.slice(0, 200)}`)
}

/** The sample's text with one part replaced. */
export function textWith(part: string, replacement: string): string {
  if (!SAMPLE_TEXT.includes(part)) throw new Error(`the sample does not have ${part}`)
  return SAMPLE_TEXT.replace(part, () => replacement)
}

/** What the `InvalidInputError` says that parsing `input` throws. */
export function refusal(input: unknown): string {
  const error = errorOf(() => parseAny(input))
  if (!(error instanceof InvalidInputError)) throw new Error('the error is of another class', { cause: error })
  return error.message.replace('the data row record: ', '')
}

/** Text as JSON escapes, all of it. */
export function unicodeEscape(text: string): string {
  return Array.from({ length: text.length }, (_, i) => {
    return `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`
  }).join('')
}
