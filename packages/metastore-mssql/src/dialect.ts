import { InvalidInputError } from '@asherah/core/backend'
import type { SqlDialect } from '@asherah/sql-shared'
import { inspectTable } from './inspect.ts'
import { findLayout, type Layout } from './layout.ts'
import type { Settings } from './options.ts'
import { readPage } from './pages.ts'
import { type TimedRow, timedRow } from './row-times.ts'
import { kindOf, survives } from './server-errors.ts'
import type { MssqlConnection, StatementValue } from './statement.ts'
import { type StatementTexts, statementTexts } from './statements.ts'

interface Table {
  readonly layout: Layout
  readonly texts: StatementTexts
}

/** The statements of SQL Server for one table. */
export function createDialect({ schemaName, tableName, zone }: Settings): SqlDialect<MssqlConnection> {
  /** Known once the table has been seen; until then each call looks. */
  let known: Table | undefined
  const tableOf = async (connection: MssqlConnection): Promise<Table> => {
    if (known !== undefined) return known
    const layout = await findLayout(connection, schemaName, tableName)
    const table = { layout, texts: statementTexts(layout) }
    if (layout.columns.length > 0) known = table
    return table
  }
  /** What the column holds for Unix seconds. */
  const local = (seconds: number): number => zone?.toLocal(seconds) ?? seconds

  const rowsOf = async (
    connection: MssqlConnection,
    text: (texts: StatementTexts) => string,
    parameters: Readonly<Record<string, StatementValue>>,
  ): Promise<readonly TimedRow[]> => {
    const { layout, texts } = await tableOf(connection)
    if (layout.isNarrow && isWide(parameters.id)) return []
    const { rows } = await connection.run(text(texts), parameters)
    return rows.map((row) => timedRow(row, zone))
  }

  return {
    name: 'SQL Server',

    async load(connection, keyId, created) {
      const [row] = await rowsOf(connection, ({ load }) => load, { id: keyId, created: local(created) })
      if (row === undefined || zone === undefined) return row
      // The other key of an hour that the clock repeats.
      const isOther = row.seconds !== null && row.seconds !== created
      return isOther ? undefined : row
    },

    async loadLatest(connection, keyId, notAfter) {
      if (zone !== undefined)
        return latestOf(await rowsOf(connection, ({ loadAll }) => loadAll, { id: keyId }), notAfter)
      const [row] =
        notAfter === undefined
          ? await rowsOf(connection, ({ loadLatest }) => loadLatest, { id: keyId })
          : await rowsOf(connection, ({ loadLatestUntil }) => loadLatestUntil, { id: keyId, created: notAfter })
      return row
    },

    async insert(connection, keyId, created, keyRecord) {
      const { layout, texts } = await tableOf(connection)
      if (layout.isNarrow && isWide(keyId)) {
        throw new InvalidInputError('the id column of this table is VARCHAR: it takes no key id beyond ASCII')
      }
      await connection.run(texts.insert, { id: keyId, created: local(created), record: keyRecord })
    },

    async replace(connection, { keyId, created }, from, to) {
      const { texts } = await tableOf(connection)
      const { affected } = await connection.run(texts.replace, { id: keyId, created: local(created), from, to })
      return affected > 0
    },

    async page(connection, after) {
      const { texts } = await tableOf(connection)
      return readPage(connection, texts, zone, after)
    },

    async inspect(connection) {
      const { layout } = await tableOf(connection)
      return inspectTable(connection, layout, zone)
    },

    kindOf,
    survives,
  }
}

/** A code page has no more than ASCII for certain. */
function isWide(text: StatementValue | undefined): boolean {
  return typeof text === 'string' && !/^[\0-\x7f]*$/.test(text)
}

/** A row whose time cannot be read comes first: nobody can say that it is not the latest. */
function latestOf(rows: readonly TimedRow[], notAfter = Number.POSITIVE_INFINITY): TimedRow | undefined {
  const order = ({ seconds }: TimedRow): number => seconds ?? Number.POSITIVE_INFINITY
  return rows
    .filter(({ seconds }) => seconds === null || seconds <= notAfter)
    .toSorted((a, b) => order(b) - order(a))[0]
}
