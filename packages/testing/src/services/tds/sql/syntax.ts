import type { SqlType } from '../types.ts'

/** An expression as it was written. */
export type Expression =
  | { readonly kind: 'literal'; readonly type: SqlType; readonly value: string | bigint }
  | { readonly kind: 'null' }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'column'; readonly source: string | undefined; readonly name: string }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'isNull'; readonly operand: Expression; readonly negated: boolean }
  | { readonly kind: 'in'; readonly operand: Expression; readonly list: readonly Expression[] }
  | { readonly kind: 'collate'; readonly operand: Expression; readonly collation: string }
  | { readonly kind: 'cast'; readonly operand: Expression; readonly type: SqlType; readonly style: number }
  | {
      readonly kind: 'dateAdd'
      readonly part: 'SECOND' | 'DAY'
      readonly amount: Expression
      readonly date: Expression
    }
  | { readonly kind: 'call'; readonly name: string; readonly operands: readonly Expression[] }
  | { readonly kind: 'countAll' }

/** A table or view by its parts; `schema` is undefined where none was written. */
export interface TableName {
  readonly schema: string | undefined
  readonly name: string
}

export interface Source {
  readonly table: TableName
  readonly alias: string | undefined
  /** Undefined for the first. */
  readonly on: Expression | undefined
}

export interface ColumnDefinition {
  readonly name: string
  readonly type: SqlType
  readonly collation: string | undefined
  readonly nullable: boolean
}

export interface UniqueDefinition {
  readonly name: string | undefined
  readonly primary: boolean
  readonly clustered: boolean
  readonly columns: readonly string[]
}

export type Statement =
  | {
      readonly kind: 'select'
      readonly top: number | undefined
      readonly items: readonly { readonly expression: Expression; readonly name: string }[]
      readonly from: readonly Source[]
      readonly where: Expression | undefined
      readonly orderBy: readonly { readonly expression: Expression; readonly descending: boolean }[]
    }
  | {
      readonly kind: 'insert'
      readonly table: TableName
      readonly columns: readonly string[]
      readonly values: readonly Expression[]
    }
  | {
      readonly kind: 'update'
      readonly table: TableName
      readonly changes: readonly { readonly column: string; readonly value: Expression }[]
      readonly where: Expression | undefined
    }
  | { readonly kind: 'delete'; readonly table: TableName; readonly where: Expression | undefined }
  | {
      readonly kind: 'createTable'
      readonly table: TableName
      readonly columns: readonly ColumnDefinition[]
      readonly unique: readonly UniqueDefinition[]
    }
  | { readonly kind: 'dropTable'; readonly table: TableName }
  | { readonly kind: 'if'; readonly condition: Expression; readonly body: Statement }
  | { readonly kind: 'set' }
