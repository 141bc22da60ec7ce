import assert from 'node:assert/strict'
import type { AsherahErrorCode } from '@asherah/core/backend'

/** The `code` of anything thrown. */
function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function checkCode(error: unknown, codes: readonly AsherahErrorCode[], what: string): void {
  const code = codeOf(error)
  if (codes.some((allowed) => allowed === code)) return
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  assert.fail(`${what}: expected ${codes.join(' or ')}, got ${String(code)} (${message})`)
}

/**
 * By `code`, not by class: the subject may have its own copy of core.
 *
 * @returns What was thrown.
 */
export async function assertRejects(
  call: () => unknown,
  codes: AsherahErrorCode | readonly AsherahErrorCode[],
  what: string,
): Promise<unknown> {
  let result: unknown
  try {
    result = await call()
  } catch (error) {
    checkCode(error, typeof codes === 'string' ? [codes] : codes, what)
    return error
  }
  assert.fail(`${what}: expected ${String(codes)}, but it gave ${describeValue(result)}`)
}

/** As {@link assertRejects}, for what must throw before it returns. */
export function assertThrows(
  call: () => unknown,
  codes: AsherahErrorCode | readonly AsherahErrorCode[],
  what: string,
): unknown {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    checkCode(error, typeof codes === 'string' ? [codes] : codes, what)
    return error
  }
  assert.fail(`${what}: expected ${String(codes)}, but it gave ${describeValue(result)}`)
}

/** Equal content, whatever the class of the view. */
export function assertBytes(actual: unknown, expected: Uint8Array, what: string): void {
  assert.ok(actual instanceof Uint8Array, `${what}: expected bytes, got ${describeValue(actual)}`)
  // Not in the message: kits are run on real keys too.
  assert.ok(Buffer.compare(actual, expected) === 0, `${what}: the bytes differ`)
}

/** All zero, or detached. */
export function assertWiped(bytes: Uint8Array, what: string): void {
  assert.ok(
    // A detached view has no bytes, and its methods throw.
    bytes.byteLength === 0 || bytes.every((byte) => byte === 0),
    `${what}: the bytes are still there`,
  )
}

function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** A method that `offers` names, bound to its owner. */
export function there<T>(method: T | undefined, name: string): T {
  assert.ok(method !== undefined, `${name} is in \`offers\`, and is not there`)
  return method
}
