/** An account's id, alone or in an ARN; not the last part of a UUID. */
const ACCOUNT = /(?<![\w-])\d{12}(?![\w-])/g

/** As deep as the SDK nests the errors of its credential providers, and more. */
const MAX_DEPTH = 8

/** An AWS account's id in a text, alone or in an ARN, becomes `[redacted]`. */
export function redactAccounts(text: string): string {
  return text.replace(ACCOUNT, '[redacted]')
}

/**
 * An error of the AWS SDK as it may be the cause of ours. AWS's refusals name the caller and the resource by their ARNs, with
 * the account's id; and the SDK's errors keep the request, in whose headers a session token may be. An error with either is
 * copied without: same class, name, `$metadata` and stack. What has neither is given back.
 */
export function withoutAccounts(error: unknown): unknown {
  return safe(error, 0)
}

function safe(error: unknown, depth: number): unknown {
  if (!(error instanceof Error)) return error
  if (depth === MAX_DEPTH) return undefined
  // Those that do not enumerate, such as `stack` and `cause`, too. The SDK's `$response` cannot be deleted.
  const names = Object.getOwnPropertyNames(error).filter((name) => name !== '$response')
  const values = names.map((name) => {
    const value: unknown = Reflect.get(error, name)
    if (typeof value === 'string') return redactAccounts(value)
    if (name === 'cause') return safe(value, depth + 1)
    return name === 'errors' && Array.isArray(value) ? value.map((one) => safe(one, depth + 1)) : value
  })
  if (!('$response' in error) && names.every((name, i) => isSame(values[i], Reflect.get(error, name)))) return error
  const copy = new Error()
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error))
  for (const [i, name] of names.entries()) {
    const enumerable = Object.prototype.propertyIsEnumerable.call(error, name)
    Object.defineProperty(copy, name, { value: values[i], enumerable, writable: true, configurable: true })
  }
  return copy
}

function isSame(value: unknown, other: unknown): boolean {
  if (!Array.isArray(value) || !Array.isArray(other)) return value === other
  return value.length === other.length && value.every((one, i) => one === other[i])
}
