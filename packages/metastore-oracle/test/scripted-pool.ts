import type { OracleBind, OracleConnection, OraclePool } from '@asherah/metastore-oracle'

/** One statement that the metastore sent. */
export interface Sent {
  readonly text: string
  readonly binds: Readonly<Record<string, OracleBind>>
  readonly autoCommit: boolean | undefined
}

/** What a statement that matches gives: rows, a count, or an error. */
export interface Script {
  readonly match: RegExp
  readonly rows?: readonly object[]
  readonly rowsAffected?: number
  readonly error?: Error
  /** No answer, until the statement is broken off. */
  readonly hangs?: boolean
  /** How many statements; default all. */
  readonly times?: number
}

/**
 * A pool of `oracledb` that gives what a test wrote down. It shows what is sent and how answers are read; it does not show
 * that a database would take the SQL, or answer so. As the driver does, a connection closes only once no statement runs on
 * it, and `close` takes options or nothing, not `undefined`.
 */
export interface ScriptedPool extends OraclePool {
  readonly sent: readonly Sent[]
  /** How connections were given back. */
  readonly closed: readonly ('kept' | 'dropped')[]
  /** Breaks that were asked for: while a statement hung, or not. */
  readonly broken: readonly ('running' | 'idle')[]
  /** The first that matches counts. */
  script(...scripts: readonly Script[]): void
}

const COLUMN = { owner: 'APP', table_name: 'ENCRYPTION_KEY', char_length: 255, nullable: 'N', default_length: null }

/** What `all_tab_columns` says of the table of `schema.sql`. */
export const COLUMNS: readonly object[] = [
  { ...COLUMN, column_name: 'ID', data_type: 'VARCHAR2' },
  { ...COLUMN, column_name: 'CREATED', data_type: 'TIMESTAMP(6)', default_length: 31 },
  { ...COLUMN, column_name: 'KEY_RECORD', data_type: 'CLOB' },
]

export function createScriptedPool(columns: readonly object[] = COLUMNS): ScriptedPool {
  const sent: Sent[] = []
  const closed: ('kept' | 'dropped')[] = []
  const broken: ('running' | 'idle')[] = []
  let scripts: { readonly script: Script; left: number }[] = []
  const open = (): OracleConnection => {
    let running: Promise<unknown> | undefined
    let breakOff = (): void => {}
    return {
      async execute(text, binds, { autoCommit }) {
        if (text.includes('all_tab_columns')) return { rows: columns }
        sent.push({ text, binds, autoCommit })
        const entry = scripts.find(({ script, left }) => left > 0 && script.match.test(text))
        if (entry === undefined) throw new Error(`no script for: ${text}`)
        entry.left -= 1
        const { rows, rowsAffected, error, hangs } = entry.script
        if (hangs === true) {
          running = new Promise<void>((resolve) => {
            breakOff = resolve
          })
          await running
          throw oracleError('ORA-01013', 1013)
        }
        if (error !== undefined) throw error
        return { rows, rowsAffected }
      },
      async break() {
        broken.push(running === undefined ? 'idle' : 'running')
        breakOff()
      },
      async close(...args: readonly [options?: { readonly drop: boolean }]) {
        if (args.length > 0 && args[0] === undefined) throw oracleError('NJS-005', 0)
        if (running !== undefined) await running
        closed.push(args[0]?.drop === true ? 'dropped' : 'kept')
      },
    }
  }
  return {
    sent,
    closed,
    broken,
    getConnection: async () => open(),
    script(...added) {
      scripts = added.map((script) => ({ script, left: script.times ?? Number.POSITIVE_INFINITY }))
    },
  }
}

/** As `oracledb` throws it. */
export function oracleError(code: string, errorNum: number): Error {
  return Object.assign(new Error(`${code}: as the test wrote`), { code, errorNum })
}
