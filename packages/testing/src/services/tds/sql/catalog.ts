import type { SqlType, Value } from '../types.ts'
import { type Database, indexOfColumn, type Table } from './database.ts'
import type { ColumnDefinition, TableName } from './syntax.ts'

const TEXT: SqlType = { kind: 'nvarchar', length: 256 }
const INT: SqlType = { kind: 'int' }

type Row = Readonly<Record<string, string | number | null>>

interface View {
  readonly columns: Readonly<Record<string, SqlType>>
  rows(database: Database): readonly Row[]
}

/** The views of the catalog that the metastore asks, with the columns that it asks for. */
const VIEWS: Readonly<Record<string, View>> = {
  'information_schema.columns': {
    columns: {
      TABLE_SCHEMA: TEXT,
      TABLE_NAME: TEXT,
      COLUMN_NAME: TEXT,
      ORDINAL_POSITION: INT,
      COLUMN_DEFAULT: TEXT,
      IS_NULLABLE: TEXT,
      DATA_TYPE: TEXT,
      CHARACTER_MAXIMUM_LENGTH: INT,
      COLLATION_NAME: TEXT,
    },
    rows: (database) =>
      database.tables().flatMap((table) =>
        table.columns.map((column, i) => ({
          TABLE_SCHEMA: table.schema,
          TABLE_NAME: table.name,
          COLUMN_NAME: column.name,
          ORDINAL_POSITION: i + 1,
          COLUMN_DEFAULT: null,
          IS_NULLABLE: column.nullable ? 'YES' : 'NO',
          DATA_TYPE: column.type.kind,
          CHARACTER_MAXIMUM_LENGTH: lengthOf(column),
          COLLATION_NAME: column.collation ?? null,
        })),
      ),
  },
  'sys.indexes': {
    columns: {
      object_id: INT,
      index_id: INT,
      name: TEXT,
      is_unique: { kind: 'bit' },
      is_disabled: { kind: 'bit' },
      has_filter: { kind: 'bit' },
    },
    rows: (database) =>
      perIndex(database, (table, i) => [
        {
          object_id: table.objectId,
          index_id: i + 1,
          name: table.unique[i]?.name ?? null,
          is_unique: 1,
          is_disabled: 0,
          has_filter: 0,
        },
      ]),
  },
  'sys.index_columns': {
    columns: { object_id: INT, index_id: INT, column_id: INT, key_ordinal: INT },
    rows: (database) =>
      perIndex(database, (table, i) =>
        (table.unique[i]?.columns ?? []).map((name, ordinal) => ({
          object_id: table.objectId,
          index_id: i + 1,
          column_id: indexOfColumn(table, name) + 1,
          key_ordinal: ordinal + 1,
        })),
      ),
  },
  'sys.columns': {
    columns: { object_id: INT, column_id: INT, name: TEXT, collation_name: TEXT },
    rows: (database) =>
      database.tables().flatMap((table) =>
        table.columns.map((column, i) => ({
          object_id: table.objectId,
          column_id: i + 1,
          name: column.name,
          collation_name: column.collation ?? null,
        })),
      ),
  },
}

function perIndex(database: Database, rows: (table: Table, index: number) => readonly Row[]): Row[] {
  return database.tables().flatMap((table) => table.unique.flatMap((_, i) => rows(table, i)))
}

function lengthOf({ type }: ColumnDefinition): number | null {
  if (type.kind !== 'nvarchar' && type.kind !== 'varchar') return null
  return type.length === 0 ? -1 : type.length
}

/** A catalog view as a table, or undefined when there is none of that name. */
export function findView(database: Database, { schema, name }: TableName): Table | undefined {
  const view = VIEWS[`${schema ?? ''}.${name}`.toLowerCase()]
  if (view === undefined) return undefined
  const columns = Object.entries(view.columns).map(
    ([column, type]): ColumnDefinition => ({
      name: column,
      type,
      nullable: true,
      collation: type.kind === 'nvarchar' ? database.collation : undefined,
    }),
  )
  const rows = view.rows(database).map((row) => columns.map((column) => asValue(row[column.name])))
  return { isSameName: database.isSameName, objectId: 0, schema: 'sys', name, columns, unique: [], rows }
}

function asValue(value: string | number | null | undefined): Value {
  return typeof value === 'number' ? BigInt(value) : (value ?? null)
}
