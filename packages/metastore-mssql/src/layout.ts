import { MetastoreError } from '@asherah/core/backend'
import type { MssqlConnection, StatementRow } from './statement.ts'

/** The table as this server spells it: every name is quoted. */
export interface Layout {
  readonly table: string
  readonly id: string
  readonly created: string
  readonly keyRecord: string
  /** The id column is VARCHAR: letters outside its code page would become `?`. */
  readonly isNarrow: boolean
  /** Every column of the table, as the server describes it; none: there is no such table, or it may not be seen. */
  readonly columns: readonly StatementRow[]
}

/** Upper case, for databases whose names have a case; the names are compared without it all the same. */
const COLUMNS_QUERY = `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, IS_NULLABLE, COLUMN_DEFAULT, COLLATION_NAME
FROM INFORMATION_SCHEMA.COLUMNS
WHERE LOWER(TABLE_SCHEMA) = LOWER(@schema) AND LOWER(TABLE_NAME) = LOWER(@table)
ORDER BY ORDINAL_POSITION`

/**
 * Finds the table and its columns, whatever their case; `KeyRecord` is `key_record` too.
 *
 * @throws MetastoreError when names differ in case alone, and none of them is the one that was asked for.
 */
export async function findLayout(connection: MssqlConnection, schema: string, table: string): Promise<Layout> {
  const { rows } = await connection.run(COLUMNS_QUERY, { schema, table })
  const tables = new Map(rows.map((row) => [`${String(row.TABLE_SCHEMA)}\0${String(row.TABLE_NAME)}`, row]))
  const exact = tables.get(`${schema}\0${table}`)
  if (tables.size > 1 && exact === undefined) {
    throw new MetastoreError(
      `SQL Server: there are ${tables.size} tables whose names differ from ${table} in case only`,
    )
  }
  const found = exact ?? rows[0]
  if (found === undefined) return layoutOf(schema, table, [])
  const { TABLE_SCHEMA, TABLE_NAME } = found
  const columns = rows.filter((row) => row.TABLE_SCHEMA === TABLE_SCHEMA && row.TABLE_NAME === TABLE_NAME)
  return layoutOf(String(TABLE_SCHEMA), String(TABLE_NAME), columns)
}

/** `id`, `created` or `key_record`, for any spelling of it. */
export function plainName(column: unknown): string {
  const plain = String(column).toLowerCase()
  return plain === 'keyrecord' ? 'key_record' : plain
}

function layoutOf(schema: string, table: string, columns: readonly StatementRow[]): Layout {
  const column = (name: string): StatementRow | undefined =>
    columns.find((row) => row.COLUMN_NAME === name) ?? columns.find((row) => plainName(row.COLUMN_NAME) === name)
  const spelled = (name: string): string => quoteName(String(column(name)?.COLUMN_NAME ?? name))
  return {
    table: `${quoteName(schema)}.${quoteName(table)}`,
    id: spelled('id'),
    created: spelled('created'),
    keyRecord: spelled('key_record'),
    isNarrow: /^(var)?char$/i.test(String(column('id')?.DATA_TYPE)),
    columns,
  }
}

/** A name as SQL text. */
function quoteName(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`
}
