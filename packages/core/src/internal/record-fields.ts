import { isUint8Array } from 'node:util/types'
import type { AsherahError } from '../errors.ts'
import { decodeCanonicalBase64, decodedBase64Length, notBase64 } from './base64.ts'

/** Makes the error for a record in which something is wrong; `problem` continues a sentence that names the record. */
export type Fault = (problem: string, cause?: unknown) => AsherahError

/** How many bytes a field may have, both inclusive. */
export interface ByteRange {
  readonly min: number
  readonly max: number
}

const byteLengthGetter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'byteLength')?.get

/** Reads an own property, once. What a getter or a proxy throws becomes the record's fault. */
export function readOwn(holder: object, name: string, field: string, fault: Fault): unknown {
  try {
    return Object.hasOwn(holder, name) ? Reflect.get(holder, name) : undefined
  } catch (cause) {
    throw fault(`${field} cannot be read`, cause)
  }
}

/** As {@link readOwn}, for objects of classes that have accessors. */
export function readAny(holder: object, name: string, field: string, fault: Fault): unknown {
  try {
    return Reflect.get(holder, name)
  } catch (cause) {
    throw fault(`${field} cannot be read`, cause)
  }
}

export function checkObject(value: unknown, field: string, fault: Fault): object {
  if (typeof value !== 'object' || value === null) throw mismatch(value, field, 'an object', fault)
  return value
}

/** Unix seconds: a positive safe integer. */
export function checkCreated(value: unknown, field: string, fault: Fault): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value <= 0) {
    throw mismatch(value, field, 'Unix seconds from 1 to 2^53 - 1, in plain digits', fault)
  }
  return value
}

/** Non-empty, well-formed text. */
export function checkKeyId(value: unknown, field: string, fault: Fault): string {
  if (typeof value !== 'string') throw mismatch(value, field, 'a string', fault)
  if (value === '') throw fault(`${field} is empty`)
  if (hasLoneSurrogate(value)) throw fault(`${field} has a lone surrogate: it is not well-formed text`)
  return value
}

/** A flag that may be absent or null, which means false. */
export function checkFlag(value: unknown, field: string, fault: Fault): boolean {
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') throw mismatch(value, field, 'true, false or null', fault)
  return value
}

/** The bytes of a base64 field. The range is checked before anything is decoded. */
export function checkBase64(value: unknown, field: string, range: ByteRange, fault: Fault): Uint8Array {
  if (typeof value !== 'string') throw mismatch(value, field, 'a base64 string', fault)
  const length = decodedBase64Length(value)
  if (length === undefined) throw fault(notBase64(field))
  checkRange(length, field, range, fault)
  const bytes = decodeCanonicalBase64(value)
  if (bytes === undefined) throw fault(notBase64(field))
  return bytes
}

/** A `Uint8Array` as it is: genuine (no proxy, no look-alike; a Buffer or another realm's will do), its length in range. */
export function checkBytes(value: unknown, field: string, range: ByteRange, fault: Fault): Uint8Array {
  if (!isUint8Array(value)) throw mismatch(value, field, 'a Uint8Array', fault)
  checkRange(byteLengthOf(value), field, range, fault)
  return value
}

/** A copy of a `Uint8Array`: plain, and in an `ArrayBuffer` of its own. */
export function copyBytes(value: unknown, field: string, range: ByteRange, fault: Fault): Uint8Array {
  const bytes = checkBytes(value, field, range, fault)
  const copy = new Uint8Array(bytes)
  // Another thread may have grown a shared buffer in between.
  checkRange(copy.byteLength, field, range, fault)
  return copy
}

/** A view's length, whatever an own property or a subclass says; 0 when its buffer is detached. */
export function byteLengthOf(bytes: Uint8Array): number {
  const length: unknown = byteLengthGetter === undefined ? 0 : Reflect.apply(byteLengthGetter, bytes, [])
  return typeof length === 'number' ? length : 0
}

/**
 * A copy of a string that may be a slice of a longer one. V8's slices keep the whole text alive: 64 MiB, if the slice
 * becomes a key's id in a cache.
 */
export function detached(text: string): string {
  return ` ${text}`.slice(1)
}

/** What a value is, for messages: never what it holds. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return `${value}`
  if (isUint8Array(value)) return 'bytes'
  const kind = typeof value
  return kind === 'object' ? 'an object' : `a ${kind}`
}

function checkRange(length: number, field: string, { min, max }: ByteRange, fault: Fault): void {
  if (length >= min && length <= max) return
  const allowed = min === max ? `${min}` : max === Number.POSITIVE_INFINITY ? `at least ${min}` : `${min} to ${max}`
  throw fault(`${field} must have ${allowed} bytes, not ${length}`)
}

function mismatch(value: unknown, field: string, wanted: string, fault: Fault): AsherahError {
  if (value === undefined) return fault(`${field} is missing`)
  return fault(
    typeof value === 'number' ? `${field} must be ${wanted}` : `${field} must be ${wanted}, not ${kindOf(value)}`,
  )
}

/** `String.prototype.isWellFormed`, which the ES2023 library does not declare. */
function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}
