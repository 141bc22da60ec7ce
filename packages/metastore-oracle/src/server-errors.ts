import { MetastoreError } from '@asherah/core/backend'
import { codeOf, type ErrorKind } from '@asherah/sql-shared'

/** ORA-00001: unique constraint violated. */
const DUPLICATE = 1
/** ORA-00942: table or view does not exist, or may not be seen. */
const NO_TABLE = 942

/**
 * Passing: deadlock (60), lock timeout (54), too many processes and sessions (18, 20), killed sessions (28, 31),
 * serialization (8177), starting and stopping (1033 to 1092), lost connections (3113 to 3135), the listener (12xxx), a
 * database that is read-only, as a former primary is (16000), and failover (25401 to 25408).
 */
const TRANSIENT: ReadonlySet<number> = new Set([
  18, 20, 28, 31, 51, 54, 60, 1012, 1033, 1034, 1089, 1090, 1092, 2396, 3113, 3114, 3135, 8177, 12_153, 12_170, 12_516,
  12_518, 12_519, 12_520, 12_528, 12_537, 12_541, 12_547, 12_570, 12_571, 12_583, 16_000, 25_401, 25_402, 25_403,
  25_405, 25_408,
])

/**
 * node-oracledb in thin mode: no connection, connection ended, timeouts, a full queue of the pool, a listener that refuses
 * (511: too many connections, an instance that starts), a server that says goodbye (513).
 */
const DRIVER_CODES: ReadonlySet<unknown> = new Set([
  'NJS-003',
  'NJS-040',
  'NJS-076',
  'NJS-123',
  'NJS-500',
  'NJS-501',
  'NJS-503',
  'NJS-510',
  'NJS-511',
  'NJS-513',
  'NJS-521',
])

/** The session's end, though the server said it by an error; or its database is not the primary. */
const FATAL: ReadonlySet<number> = new Set([
  28, 31, 1012, 1033, 1034, 1089, 1090, 1092, 2396, 3113, 3114, 3135, 16_000, 25_401, 25_408,
])

/** The number after `ORA-`. */
function numberOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errorNum' in error)) return undefined
  // The driver's own errors have 0, or the number of their NJS code.
  const isServer = typeof error.errorNum === 'number' && error.errorNum > 0 && !String(codeOf(error)).startsWith('NJS-')
  return isServer ? Number(error.errorNum) : undefined
}

/** By number; by the driver's code where the server said nothing. Never by text. */
export function kindOf(error: unknown): ErrorKind {
  const number = numberOf(error)
  if (number === DUPLICATE) return 'duplicate'
  if (number === NO_TABLE) return 'noTable'
  if (number !== undefined) return TRANSIENT.has(number) ? 'transient' : 'permanent'
  return DRIVER_CODES.has(codeOf(error)) ? 'transient' : 'permanent'
}

/** True when the session goes on: the server answered with an error of the statement, or we did not send one. */
export function survives(error: unknown): boolean {
  if (error instanceof MetastoreError) return true
  const number = numberOf(error)
  return number !== undefined && !FATAL.has(number)
}
