import { InvalidConfigError } from '@asherah/core/backend'
import { isPlainText } from './text.ts'

/** Limits of the connections that a metastore opens itself. */
export interface PoolOptions {
  /** The most connections at once; default 10, 1 to 1,000. */
  readonly maxConnections?: number
  /** Idle connections that are kept however long they are idle, once calls have opened them; default 0. */
  readonly minIdleConnections?: number
  /** An idle connection beyond `minIdleConnections` is closed after this time, in milliseconds; default 60,000. */
  readonly idleTimeoutMs?: number
  /** No connection is used again after this time, in milliseconds; default 1,800,000 (30 minutes). */
  readonly maxLifetimeMs?: number
  /** The longest wait for a connection, a free one or a new one, in milliseconds; default 10,000. */
  readonly acquireTimeoutMs?: number
  /** The longest wait for a new connection to be ready, in milliseconds; default 10,000. */
  readonly connectTimeoutMs?: number
  /** A connection that was idle for longer is tested before it is used, in milliseconds; default 30,000; 0: each time. */
  readonly healthCheckAfterMs?: number
}

/** Options of every call. */
export interface CallOptions {
  /** The longest wait for the answer to one statement, in milliseconds; default 10,000. */
  readonly queryTimeoutMs?: number
  /**
   * How long a call that fails for a passing reason (deadlock, failover, lost connection, too many connections) is tried
   * again, in milliseconds; default 5,000; 0: never.
   */
  readonly retryTimeoutMs?: number
}

/** {@link PoolOptions}, complete. */
export type PoolLimits = Required<PoolOptions>

/** {@link CallOptions}, complete. */
export type CallLimits = Required<CallOptions>

/** The names of {@link PoolOptions}. */
export const POOL_OPTIONS: readonly string[] = [
  'maxConnections',
  'minIdleConnections',
  'idleTimeoutMs',
  'maxLifetimeMs',
  'acquireTimeoutMs',
  'connectTimeoutMs',
  'healthCheckAfterMs',
]

/** The names of {@link CallOptions}. */
export const CALL_OPTIONS: readonly string[] = ['queryTimeoutMs', 'retryTimeoutMs']

/** The longest time that a timer of Node takes. */
const MAX_MS = 2 ** 31 - 1

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkPoolOptions(options: PoolOptions): PoolLimits {
  const limits: PoolLimits = {
    maxConnections: wholeNumber('maxConnections', options.maxConnections, 10, 1, 1_000),
    minIdleConnections: wholeNumber('minIdleConnections', options.minIdleConnections, 0, 0, 1_000),
    idleTimeoutMs: wholeNumber('idleTimeoutMs', options.idleTimeoutMs, 60_000, 1, MAX_MS),
    maxLifetimeMs: wholeNumber('maxLifetimeMs', options.maxLifetimeMs, 1_800_000, 1, MAX_MS),
    acquireTimeoutMs: wholeNumber('acquireTimeoutMs', options.acquireTimeoutMs, 10_000, 1, MAX_MS),
    connectTimeoutMs: wholeNumber('connectTimeoutMs', options.connectTimeoutMs, 10_000, 1, MAX_MS),
    healthCheckAfterMs: wholeNumber('healthCheckAfterMs', options.healthCheckAfterMs, 30_000, 0, MAX_MS),
  }
  if (limits.minIdleConnections > limits.maxConnections) {
    throw new InvalidConfigError('minIdleConnections must not be greater than maxConnections')
  }
  return limits
}

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkCallOptions(options: CallOptions): CallLimits {
  return {
    queryTimeoutMs: wholeNumber('queryTimeoutMs', options.queryTimeoutMs, 10_000, 1, MAX_MS),
    retryTimeoutMs: wholeNumber('retryTimeoutMs', options.retryTimeoutMs, 5_000, 0, 600_000),
  }
}

/** @throws InvalidConfigError naming the option, unless it is a whole number in the range or left out. */
export function wholeNumber(name: string, value: unknown, fallback: number, least: number, most: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new InvalidConfigError(`${name} must be a whole number from ${least} to ${most}`)
  }
  return value
}

/**
 * The name of a schema or a table. Whoever puts it into SQL quotes it, always.
 *
 * @param most The longest name that the server takes whole, in UTF-8 bytes: PostgreSQL cuts what is longer.
 * @throws InvalidConfigError naming the option.
 */
export function checkName(option: string, name: unknown, most: number): string {
  if (!isPlainText(name) || Buffer.byteLength(name) > most) {
    throw new InvalidConfigError(`${option} must be the plain name, 1 to ${most} bytes long`)
  }
  return name
}

/** @throws InvalidConfigError naming the option. */
export function checkText(option: string, value: unknown): string {
  if (!isPlainText(value)) throw new InvalidConfigError(`${option} must be non-empty text`)
  return value
}

/** The consistency of reads through an Aurora replica that forwards writes. */
export type ReplicaReadConsistency = 'eventual' | 'session' | 'global'

const CONSISTENCIES: readonly ReplicaReadConsistency[] = ['eventual', 'session', 'global']

/** @throws InvalidConfigError unless it is one of the three words, or left out. */
export function checkReplicaReadConsistency(value: unknown): ReplicaReadConsistency | undefined {
  if (value === undefined) return undefined
  const known = CONSISTENCIES.find((word) => word === value)
  if (known === undefined)
    throw new InvalidConfigError(`replicaReadConsistency must be one of ${CONSISTENCIES.join(', ')}`)
  return known
}
