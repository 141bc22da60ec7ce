import type { SqlDialect, StoredRow } from '@asherah/sql-shared'
import { inspectTable } from './inspect.ts'
import { findLayout, type Layout } from './layout.ts'
import type { Settings } from './options.ts'
import type { OracleBind, OracleConnection } from './oracle-types.ts'
import { kindOf, survives } from './server-errors.ts'
import { largeText, type SessionRow, sessionOf } from './session.ts'
import { type StatementTexts, statementTexts } from './statements.ts'

interface Table {
  readonly layout: Layout
  readonly texts: StatementTexts
}

/** The statements of Oracle for one table. */
export function createDialect({ schemaName, tableName }: Settings): SqlDialect<OracleConnection> {
  /** Known once the table has been seen; until then each call looks. */
  let known: Table | undefined
  const tableOf = async (connection: OracleConnection): Promise<Table> => {
    if (known !== undefined) return known
    const layout = await findLayout(sessionOf(connection), schemaName, tableName)
    const table = { layout, texts: statementTexts(layout) }
    if (layout.columns.length > 0) known = table
    return table
  }
  const run = async (
    connection: OracleConnection,
    text: (texts: StatementTexts) => string,
    binds: Readonly<Record<string, OracleBind>>,
  ): Promise<{ readonly rows: readonly StoredRow[]; readonly affected: number }> => {
    const { texts } = await tableOf(connection)
    const { rows, affected } = await sessionOf(connection).run(text(texts), binds)
    return { rows: rows.map(storedRow), affected }
  }

  return {
    name: 'Oracle',

    async load(connection, keyId, created) {
      return (await run(connection, ({ load }) => load, { id: keyId, created })).rows[0]
    },

    async loadLatest(connection, keyId, notAfter) {
      const { rows } =
        notAfter === undefined
          ? await run(connection, ({ loadLatest }) => loadLatest, { id: keyId })
          : await run(connection, ({ loadLatestUntil }) => loadLatestUntil, { id: keyId, created: notAfter })
      return rows[0]
    },

    async insert(connection, keyId, created, keyRecord) {
      await run(connection, ({ insert }) => insert, { id: keyId, created, record: largeText(keyRecord) })
    },

    async replace(connection, { keyId, created }, from, to) {
      const binds = { id: keyId, created, from_text: largeText(from), to_text: largeText(to) }
      return (await run(connection, ({ replace }) => replace, binds)).affected > 0
    },

    async page(connection, after) {
      if (after === undefined) return (await run(connection, ({ firstPage }) => firstPage, {})).rows
      const { keyId, created } = after
      return created === undefined
        ? (await run(connection, ({ pageAfterId }) => pageAfterId, { id: keyId })).rows
        : (await run(connection, ({ pageAfter }) => pageAfter, { id: keyId, created })).rows
    },

    async inspect(connection) {
      const { layout } = await tableOf(connection)
      return inspectTable(sessionOf(connection), layout)
    },

    kindOf,
    survives,
  }
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.0*$/

function storedRow(row: SessionRow): StoredRow {
  const [, second] = TIME.exec(String(row.created)) ?? []
  return {
    id: row.id,
    seconds: second === undefined ? null : Date.parse(`${second}Z`) / 1_000,
    keyRecord: row.key_record,
  }
}
