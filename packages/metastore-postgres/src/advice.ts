import { MetastoreError } from '@asherah/core/backend'
import { codeOf, LostConnectionError } from '@asherah/sql-shared'

const NOT_POSTGRES = 'what answers there does not speak as PostgreSQL does: check host and port'

/** How errors of `pg` without a code begin, and what to do about them. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  [
    'The server does not support SSL connections',
    'turn TLS on there, or, in a network that you trust, set tls: false (in a connection string, sslmode=disable)',
  ],
  [
    'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be',
    'the server asks for a password: give it in the connection string, as config.password, or in PGPASSWORD',
  ],
  ['There was an error establishing an SSL connection', `the server is overloaded, or ${NOT_POSTGRES}`],
  ['received invalid response: ', NOT_POSTGRES],
])

/** An error of a connection that was not opened, with what to do about it where that is known. */
export function withAdvice(error: unknown): unknown {
  if (!(error instanceof Error) || codeOf(error) !== undefined) return error
  const { message } = error
  const [, advice] = [...ADVICE].find(([start]) => message.startsWith(start)) ?? []
  if (advice === undefined) return error
  if (error instanceof LostConnectionError) return new LostConnectionError(`${message}; ${advice}`, { cause: error })
  return new MetastoreError(`PostgreSQL: ${message}; ${advice}`, { cause: error })
}
