import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { AsherahError, type Call, ClosedError, checkNotAborted, MetastoreError } from '@asherah/core/backend'
import type { Settings } from './options.ts'
import { isBusy, toMetastoreError } from './sqlite-errors.ts'
import { type StatementTexts, statementTexts } from './statements.ts'

/** The open file, for the length of one synchronous action. */
export interface Connection {
  /** Prepared once for each text. */
  prepare(sql: string): StatementSync
  readonly texts: StatementTexts
  /** For what must be all or nothing. */
  transaction<T>(action: () => T): T
}

/** One SQLite file: opened when it is first needed, and shared politely with other processes. */
export interface Database {
  /** @param absent The result where there is no file or no table yet: a read creates neither. */
  read<T>(what: string, call: Call | undefined, absent: T, action: (connection: Connection) => T): Promise<T>
  /** As `read`, of an existing file, whether the table is there or not. */
  inspect<T>(what: string, call: Call | undefined, absent: T, action: (connection: Connection) => T): Promise<T>
  /** Creates the file and the table where they are missing. */
  write<T>(what: string, call: Call | undefined, action: (connection: Connection) => T): Promise<T>
  /** Waits for the calls that run; idempotent. */
  close(): Promise<void>
}

/** SQLite's own wait blocks the thread, so it is short; the long wait is a timer between tries. */
const BLOCKING_WAIT_MS = 10
const MIN_PAUSE_MS = 2
const MAX_PAUSE_MS = 50

/** Opens nothing yet. */
export function createDatabase(settings: Settings): Database {
  const { path, tableName, busyTimeoutMs, readOnly } = settings
  const texts = statementTexts(tableName)
  let connection: OpenConnection | undefined
  let tableSeen = false
  let preparedForWrites = false
  let running = 0
  let closing: Promise<void> | undefined
  let idle = (): void => {}

  const open = (): OpenConnection => {
    connection ??= openConnection(path, readOnly, texts)
    return connection
  }
  const hasTable = (): boolean => {
    tableSeen ||= open().hasTable(tableName)
    return tableSeen
  }
  const prepareForWrites = (): void => {
    if (preparedForWrites) return
    if (connection === undefined && !existsSync(path)) createPrivateFile(path)
    open().prepareForWrites()
    tableSeen = true
    preparedForWrites = true
  }

  const run = async <T>(what: string, call: Call | undefined, action: () => T): Promise<T> => {
    if (closing !== undefined) throw new ClosedError('the SQLite metastore is closed')
    running += 1
    try {
      return await retryWhileBusy(what, settings, call, action)
    } finally {
      running -= 1
      if (running === 0) idle()
    }
  }

  return {
    read: (what, call, absent, action) =>
      run(what, call, () => {
        if (connection === undefined && !readOnly && !existsSync(path)) return absent
        return hasTable() ? action(open()) : absent
      }),
    inspect: (what, call, absent, action) => run(what, call, () => (existsSync(path) ? action(open()) : absent)),
    write: (what, call, action) =>
      run(what, call, () => {
        if (readOnly) throw new MetastoreError(`SQLite ${what}, ${path}: the metastore was opened with readOnly`)
        prepareForWrites()
        return action(open())
      }),
    close() {
      closing ??= (async () => {
        if (running > 0) await new Promise<void>((resolve) => (idle = resolve))
        connection?.close()
        connection = undefined
      })()
      return closing
    },
  }

  async function retryWhileBusy<T>(what: string, s: Settings, call: Call | undefined, action: () => T): Promise<T> {
    const deadline = performance.now() + busyTimeoutMs
    for (let tries = 0; ; tries++) {
      checkNotAborted(call?.signal)
      try {
        return action()
      } catch (error) {
        if (error instanceof AsherahError) throw error
        if (!isBusy(error)) throw toMetastoreError(what, s.path, error)
        if (performance.now() >= deadline) {
          throw new MetastoreError(`SQLite ${what}, ${s.path}: locked by others for over ${busyTimeoutMs} ms`, {
            cause: error,
          })
        }
      }
      // Jitter, so that processes that met once do not meet at each try.
      const pause = Math.min(MAX_PAUSE_MS, MIN_PAUSE_MS * 2 ** tries) * (0.5 + Math.random())
      await sleep(Math.min(pause, Math.max(1, deadline - performance.now())), undefined, {
        ...(call?.signal === undefined ? {} : { signal: call.signal }),
      }).catch(() => checkNotAborted(call?.signal))
    }
  }
}

interface OpenConnection extends Connection {
  hasTable(tableName: string): boolean
  prepareForWrites(): void
  close(): void
}

function openConnection(path: string, readOnly: boolean, texts: StatementTexts): OpenConnection {
  const database = new DatabaseSync(path, { readOnly })
  const statements = new Map<string, StatementSync>()
  try {
    database.exec(`PRAGMA busy_timeout = ${BLOCKING_WAIT_MS}`)
    // FULL: a commit is on the disk before it is acknowledged; in WAL mode, NORMAL could lose the last ones.
    database.exec('PRAGMA synchronous = FULL')
  } catch (error) {
    database.close()
    throw error
  }
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const statement = database.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  return {
    texts,
    prepare,
    hasTable: (tableName) =>
      prepare("SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(?)").get(
        tableName,
      ) !== undefined,
    prepareForWrites() {
      // Where WAL is not possible (some network file systems), SQLite stays in its safe rollback mode.
      if (prepare('PRAGMA journal_mode').get()?.journal_mode !== 'wal') database.exec('PRAGMA journal_mode = WAL')
      database.exec(texts.createTable)
    },
    transaction(action) {
      database.exec('BEGIN IMMEDIATE')
      try {
        const result = action()
        database.exec('COMMIT')
        return result
      } catch (error) {
        rollBack(database)
        throw error
      }
    },
    close: () => database.close(),
  }
}

function rollBack(database: DatabaseSync): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    // After some errors SQLite has rolled back by itself; the error before this one is the one to report.
  }
}

/**
 * Creates an empty file that only its owner can use; SQLite gives the same mode to its WAL.
 *
 * Exclusively: closing a descriptor of a file that this process has open elsewhere would drop SQLite's locks on it.
 */
function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return
    throw error
  }
  syncFolder(dirname(path))
}

/** So that a power cut does not take the new file's name. Windows cannot open folders, and does not need it. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
