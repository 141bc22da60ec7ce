import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Metastore } from '@asherah/core/backend'

/** What the driver is given for one statement; the values of a store are made anew for each row. */
export interface Statement {
  /** Where it is prepared under a name. */
  readonly name?: string | undefined
  readonly text: string
  readonly values: readonly (string | number | Buffer)[]
  /** Of the values, where the driver wants names. */
  readonly names?: readonly string[]
}

/** One server, our metastore on it, and its driver's own pool. */
export interface Bed {
  readonly name: string
  readonly driver: string
  /** Calls take so little that what else this machine does disturbs some of them: many rounds. */
  readonly isNoisy: boolean
  readonly metastore: Metastore
  /** The statement that our metastore sends for a call. */
  statementOf(call: (metastore: Metastore) => Promise<unknown>): Promise<Statement>
  run(statement: Statement): Promise<unknown>
  stop(): Promise<void>
}

/** Says why there is no bed. */
export function missing(reason: string): undefined {
  process.stderr.write(`  SKIPPED: ${reason}\n`)
}

/** The SQL that makes the table. */
export function schemaOf(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`${name}/schema.sql`), 'utf8')
}
