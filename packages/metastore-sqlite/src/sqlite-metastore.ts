import {
  type Call,
  CorruptRecordError,
  type EnvelopeKeyRecord,
  InvalidInputError,
  type KeyMeta,
  type Metastore,
  MetastoreError,
  type MetastoreReport,
  parseEnvelopeKeyRecord,
  serializeEnvelopeKeyRecord,
} from '@asherah/core/backend'
import { checkDatabase } from './check.ts'
import { type Connection, createDatabase } from './database.ts'
import { checkOptions, LONE_SURROGATE, type SqliteMetastoreOptions } from './options.ts'
import { pagedRows } from './pages.ts'
import { isDuplicate } from './sqlite-errors.ts'
import { MAX_CREATED, timeText } from './statements.ts'

/** A {@link Metastore} in one SQLite file, with every optional capability. */
export interface SqliteMetastore extends Metastore {
  list(options?: Call & { readonly after?: KeyMeta }): AsyncIterable<EnvelopeKeyRecord>
  markRevoked(keyId: string, created: number, options?: Call): Promise<boolean>
  check(options?: Call & { readonly keyId?: string }): Promise<MetastoreReport>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A metastore in one SQLite file, on `node:sqlite`: the embedded default.
 *
 * Processes on one machine may share the file, asherah-ffi among them. It is in WAL mode with `synchronous = FULL`:
 * what `store` acknowledged survives a crash of the process and of the machine. Errors of SQLite are `MetastoreError`s.
 *
 * @throws InvalidConfigError for an unknown or bad option, and for a path whose folder is missing.
 * @example
 * const metastore = createSqliteMetastore({ path: 'keys.db' })
 */
export function createSqliteMetastore(options: SqliteMetastoreOptions): SqliteMetastore {
  const settings = checkOptions(options)
  const database = createDatabase(settings)
  const close = (): Promise<void> => database.close()

  const metastore: SqliteMetastore = {
    ...(settings.regionSuffix === undefined ? {} : { regionSuffix: settings.regionSuffix }),

    async load(keyId, created, call) {
      checkKeyId(keyId)
      checkCreated(created)
      return database.read('load', call, null, (c) => loadRow(c, { keyId, created })?.record ?? null)
    },

    async loadLatest(keyId, call) {
      checkKeyId(keyId)
      const notAfter = call?.notAfter ?? null
      if (notAfter !== null && !Number.isFinite(notAfter)) throw new InvalidInputError('notAfter must be Unix seconds')
      return database.read('loadLatest', call, null, (c) => {
        const row = c.prepare(c.texts.loadLatest).get({ id: keyId, notAfter })
        return row === undefined ? null : toRecord(keyId, row.seconds, row.key_record)
      })
    },

    async store(keyId, created, record, call) {
      checkKeyId(keyId)
      checkCreated(created)
      const text = serializeEnvelopeKeyRecord(record)
      if (record.keyId !== keyId || record.created !== created) {
        throw new InvalidInputError("keyId and created must be the record's own")
      }
      if (created > MAX_CREATED)
        throw new InvalidInputError(`created is at most ${MAX_CREATED} in SQLite: the year 9999`)
      const parameters = { id: keyId, text: timeText(created), record: text, created }
      return database.write('store', call, (c) => {
        try {
          return Number(c.prepare(c.texts.store).run(parameters).changes) === 1
        } catch (error) {
          if (!isDuplicate(error)) throw error
          if (loadRow(c, { keyId, created }) !== null) return false
          throw new MetastoreError(
            'SQLite store: a unique index of the table refuses the row, though no such row is there',
            {
              cause: error,
            },
          )
        }
      })
    },

    async *list(call) {
      if (call?.after !== undefined) {
        checkKeyId(call.after.keyId)
        checkCreated(call.after.created)
      }
      let previous: KeyMeta | undefined
      for await (const row of pagedRows(database, call)) {
        const record = toRecord(row.keyId, row.seconds, row.keyRecord)
        // Of two rows that say one second in two ways, the first is the one that `load` gives.
        if (record.keyId !== previous?.keyId || record.created !== previous.created) yield record
        previous = record
      }
    },

    async markRevoked(keyId, created, call) {
      checkKeyId(keyId)
      checkCreated(created)
      return database.write('markRevoked', call, (c) =>
        c.transaction(() => {
          const row = loadRow(c, { keyId, created })
          if (row === null) return false
          if (!row.record.revoked) c.prepare(c.texts.revoke).run({ id: keyId, created })
          return true
        }),
      )
    },

    check: (call) => checkDatabase(metastore, database, settings, call),
    close,
    [Symbol.asyncDispose]: close,
  }
  return metastore
}

function loadRow(c: Connection, key: KeyMeta): { readonly record: EnvelopeKeyRecord } | null {
  const { keyId, created } = key
  const canonical =
    created > MAX_CREATED ? undefined : c.prepare(c.texts.loadCanonical).get({ id: keyId, text: timeText(created) })
  if (canonical !== undefined) return { record: toRecord(keyId, created, canonical.key_record) }
  const row = c.prepare(c.texts.loadAny).get({ id: keyId, created })
  return row === undefined ? null : { record: toRecord(keyId, row.seconds, row.key_record) }
}

/** @param seconds What the `created` column says, or null when that is not a time. */
function toRecord(keyId: string, seconds: unknown, keyRecord: unknown): EnvelopeKeyRecord {
  if (typeof seconds !== 'number') {
    throw new CorruptRecordError(`a row of ${JSON.stringify(keyId)} has a created column that is not a time`)
  }
  if (typeof keyRecord !== 'string') {
    throw new CorruptRecordError(`the key_record of ${JSON.stringify(keyId)}, created ${seconds}, is not text`)
  }
  return parseEnvelopeKeyRecord(keyRecord, { keyId, created: seconds })
}

function checkKeyId(keyId: unknown): void {
  if (typeof keyId !== 'string' || keyId === '' || LONE_SURROGATE.test(keyId)) {
    throw new InvalidInputError('a key id must be non-empty, well-formed text')
  }
}

function checkCreated(created: unknown): void {
  if (!Number.isSafeInteger(created) || Number(created) < 1) {
    throw new InvalidInputError('created must be a whole number of Unix seconds, 1 or more')
  }
}
