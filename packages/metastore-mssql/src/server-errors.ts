import { InvalidInputError, MetastoreError } from '@asherah/core/backend'
import { codeOf, type ErrorKind, isNetworkError } from '@asherah/sql-shared'

/** A unique index (2601) or a constraint (2627) refuses the row. */
const DUPLICATE: ReadonlySet<number> = new Set([2601, 2627])
/** Invalid object name. */
const NO_TABLE = 208

/**
 * Passing: deadlock and lock timeout; failover, recovery and availability groups; Azure SQL's throttling and moves; out of
 * memory for a moment. From Microsoft's lists of transient faults.
 */
const TRANSIENT: ReadonlySet<number> = new Set([
  64, 233, 615, 701, 921, 926, 1204, 1205, 1222, 3960, 4060, 4221, 6005, 8645, 8651, 10053, 10054, 10060, 10928, 10929,
  14355, 17197, 18401, 20041, 40143, 40197, 40501, 40540, 40613, 41301, 41302, 41305, 41325, 41839, 42108, 42109, 49918,
  49919, 49920,
])

/**
 * The database is read-only (3906), as an availability group's former primary is after a failover; it takes connections of
 * read intent alone (978), no queries (976), or none until it has its role (983). Another connection, by the listener,
 * comes to the primary.
 */
const WRONG_REPLICA: ReadonlySet<number> = new Set([976, 978, 983, 3906])

/** What tedious and mssql say of connections that failed. */
const CONNECTION_CODES: ReadonlySet<unknown> = new Set(['ECLOSE', 'ECONNCLOSED', 'ESOCKET', 'ETIMEOUT'])
/** Ends the connection. */
const FATAL_CLASS = 20

/** SQL Server's number of an error, where the server itself sent it. */
function numberOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('number' in error)) return undefined
  return typeof error.number === 'number' ? error.number : undefined
}

/** By number; by code where the server said nothing. Never by text. */
export function kindOf(error: unknown): ErrorKind {
  const number = numberOf(error)
  if (number !== undefined) {
    if (DUPLICATE.has(number)) return 'duplicate'
    if (number === NO_TABLE) return 'noTable'
    return TRANSIENT.has(number) || WRONG_REPLICA.has(number) ? 'transient' : 'permanent'
  }
  if (!CONNECTION_CODES.has(codeOf(error))) return 'permanent'
  // A certificate that does not verify, and a name that is not there, come as socket errors too.
  const { cause } = error instanceof Error ? error : {}
  return cause === undefined || codeOf(cause) === undefined || isNetworkError(cause) ? 'transient' : 'permanent'
}

/** True when the connection goes on: the server answered with an error of the statement, or we did not send one. */
export function survives(error: unknown): boolean {
  if (error instanceof InvalidInputError || error instanceof MetastoreError) return true
  const number = numberOf(error)
  if (number === undefined || WRONG_REPLICA.has(number) || !(error instanceof Error)) return false
  return !('class' in error && typeof error.class === 'number' && error.class >= FATAL_CLASS)
}
