/** An account's id, alone or in an ARN; not the last part of a UUID. */
const ACCOUNT = /(?<![\w-])\d{12}(?![\w-])/g

/** As deep as the SDK nests the errors of its credential providers, and more. */
const MAX_DEPTH = 16

/** An AWS account's id in a text, alone or in an ARN, becomes `[redacted]`. */
export function redactAccounts(text: string): string {
  return text.replace(ACCOUNT, '[redacted]')
}

/**
 * An error of the AWS SDK as it may be the cause of ours. AWS's refusals name the caller and the resource by their ARNs, with
 * the account's id, in the message and in what the SDK keeps of the answer; and the SDK's errors keep the request, in whose
 * headers a session token may be. An error with either is copied without: same class, name, `$metadata` and stack. What has
 * neither is given back. Errors, plain objects and arrays are looked into; in a copy, what leads back to itself is undefined.
 */
export function withoutAccounts(error: unknown): unknown {
  return safe(error, 0, new Map())
}

/** @param seen What was met so far, and what stands for it: undefined as long as that is not known. */
function safe(value: unknown, depth: number, seen: Map<object, unknown>): unknown {
  if (typeof value === 'string') return redactAccounts(value)
  // Others, such as a Date, cannot be copied by their fields.
  if (typeof value !== 'object' || value === null || !(Array.isArray(value) || hasOnlyFields(value))) return value
  if (depth === MAX_DEPTH || seen.has(value)) return seen.get(value)
  seen.set(value, undefined)
  const result = Array.isArray(value)
    ? safeList(value, (one) => safe(one, depth + 1, seen))
    : safeFields(value, (one) => safe(one, depth + 1, seen))
  seen.set(value, result)
  return result
}

function hasOnlyFields(value: object): boolean {
  return value instanceof Error || [Object.prototype, null].includes(Object.getPrototypeOf(value))
}

function safeList(list: readonly unknown[], safeOf: (value: unknown) => unknown): readonly unknown[] {
  const copy = list.map(safeOf)
  return copy.every((value, i) => Object.is(value, list[i])) ? list : copy
}

function safeFields(object: object, safeOf: (value: unknown) => unknown): object {
  // Those that do not enumerate, such as `stack` and `cause`, too. The SDK's `$response` cannot be deleted.
  const names = Object.getOwnPropertyNames(object).filter((name) => name !== '$response')
  const fields = names.map((name) => {
    const value = fieldOf(object, name)
    return { name, value, safe: safeOf(value) }
  })
  const isSame = fields.every((field) => Object.is(field.value, field.safe)) && !('$response' in object)
  const message = object instanceof DOMException ? textOf(object, 'message') : ''
  if (isSame && redactAccounts(message) === message) return object
  const copy = emptyCopy(object)
  for (const { name, safe } of fields) {
    const enumerable = Object.prototype.propertyIsEnumerable.call(object, name)
    Object.defineProperty(copy, name, { value: safe, enumerable, writable: true, configurable: true })
  }
  return copy
}

/** Undefined of a getter that throws. */
function fieldOf(object: object, name: string): unknown {
  try {
    return Reflect.get(object, name)
  } catch {
    return undefined
  }
}

function textOf(object: object, name: string): string {
  const value = fieldOf(object, name)
  return typeof value === 'string' ? value : ''
}

/** An object of the same class. Only its constructor can give a DOMException its message and its name. */
function emptyCopy(object: object): object {
  if (object instanceof DOMException) {
    return new DOMException(redactAccounts(textOf(object, 'message')), textOf(object, 'name'))
  }
  return Object.setPrototypeOf(object instanceof Error ? new Error() : {}, Object.getPrototypeOf(object))
}
