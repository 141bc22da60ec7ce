import { MetastoreError } from '@asherah/core/backend'
import type { Session, SessionRow } from './session.ts'

/** The table as this database spells it: every name is quoted. */
export interface Layout {
  readonly table: string
  readonly owner: string
  readonly name: string
  readonly id: string
  readonly created: string
  readonly keyRecord: string
  /** None: there is no such table, or it may not be seen. */
  readonly columns: readonly SessionRow[]
}

/** Names are compared without their case; `default_length` says whether an insert may leave the column out. */
const COLUMNS_QUERY = `SELECT owner AS "owner", table_name AS "table_name", column_name AS "column_name",
data_type AS "data_type", char_length AS "char_length", nullable AS "nullable", default_length AS "default_length"
FROM all_tab_columns
WHERE UPPER(owner) = UPPER(NVL(:owner, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))) AND UPPER(table_name) = UPPER(:name)
ORDER BY owner, table_name, column_id`

/** @throws MetastoreError when names differ in case alone, and none of them is the one that was asked for. */
export async function findLayout(session: Session, owner: string | undefined, name: string): Promise<Layout> {
  const { rows } = await session.run(COLUMNS_QUERY, { owner: owner ?? '', name })
  const spellings = [...new Set(rows.map((row) => `${String(row.owner)}\0${String(row.table_name)}`))]
  const exact = rows.find((row) => row.table_name === name && (owner === undefined || row.owner === owner))
  // Unquoted names are upper case, and mean those tables.
  const folded = rows.find((row) => row.table_name === name.toUpperCase())
  if (spellings.length > 1 && exact === undefined && folded === undefined) {
    throw new MetastoreError(
      `Oracle: there are ${spellings.length} tables whose names differ from ${name} in case only`,
    )
  }
  const found = exact ?? folded ?? rows[0]
  const columns = rows.filter((row) => row.owner === found?.owner && row.table_name === found?.table_name)
  const spelled = (column: string): string =>
    quoteName(String(columns.find((row) => plainName(row.column_name) === column)?.column_name ?? column.toUpperCase()))
  const table = String(found?.table_name ?? name.toUpperCase())
  const shownOwner = found?.owner ?? owner?.toUpperCase()
  return {
    table: shownOwner === undefined ? quoteName(table) : `${quoteName(String(shownOwner))}.${quoteName(table)}`,
    owner: String(shownOwner ?? ''),
    name: table,
    id: spelled('id'),
    created: spelled('created'),
    keyRecord: spelled('key_record'),
    columns,
  }
}

export function plainName(column: unknown): string {
  return String(column).toLowerCase()
}

/** Names with a double quote do not exist. */
function quoteName(name: string): string {
  return `"${name}"`
}
