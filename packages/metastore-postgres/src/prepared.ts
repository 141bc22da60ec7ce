import { createHash } from 'node:crypto'
import { codeOf } from '@asherah/sql-shared'
import type { PgClient, PgResult } from './pg-types.ts'

/** Runs one statement. */
export type Query = (client: PgClient, text: string, values: (string | number)[]) => Promise<PgResult>

/**
 * The server refused the name and ran nothing: it is not there (26000), or there already (42P05), since a pooler between gave
 * the connection another server process; or the table has changed under the plan (0A000).
 */
const NAME_REFUSED: ReadonlySet<unknown> = new Set(['26000', '42P05', '0A000'])

const asText = (text: string): string => text
const AS_TEXT = { getTypeParser: () => asText }

/** Runs a statement that the server reads and plans each time. */
export const query: Query = (client, text, values) => client.query({ text, values, types: AS_TEXT })

/**
 * Runs statements under a name, which the server reads and plans once for each connection: about half of the time of a load.
 * Where a name is refused, they run without one from then on.
 */
export function createPreparedQuery(): Query {
  const names = new Map<string, string>()
  let isRefused = false
  return async (client, text, values) => {
    if (isRefused) return query(client, text, values)
    try {
      return await client.query({ name: nameOf(names, text), text, values, types: AS_TEXT })
    } catch (error) {
      if (!NAME_REFUSED.has(codeOf(error))) throw error
      const result = await query(client, text, values)
      // So it was the name, and not the statement.
      isRefused = true
      return result
    }
  }
}

/** From the text: on a connection that a pooler shares, a name of ours never stands for another statement. */
function nameOf(names: Map<string, string>, text: string): string {
  let name = names.get(text)
  if (name === undefined) {
    name = `asherah_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    names.set(text, name)
  }
  return name
}
