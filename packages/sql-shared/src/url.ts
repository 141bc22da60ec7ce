import { InvalidConfigError } from '@asherah/core/backend'

/** The parts of a connection string, decoded; what is missing is undefined. */
export interface UrlParts {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Takes a connection string of the form `scheme://user:password@host:port/database?name=value` apart.
 *
 * @param schemes Those that are allowed, without `:`.
 * @throws InvalidConfigError whose message holds nothing of the string, which has a password in it.
 */
export function parseUrl(text: string, schemes: readonly string[]): UrlParts {
  const form = `${schemes[0]}://user:password@host:port/database`
  if (!URL.canParse(text)) {
    throw new InvalidConfigError(
      `connectionString is not of the form ${form}; escape @ : / ? # % in its parts as %40 …`,
    )
  }
  const url = new URL(text)
  if (!schemes.includes(url.protocol.slice(0, -1))) {
    throw new InvalidConfigError(`connectionString must start with ${schemes.map((s) => `${s}://`).join(' or ')}`)
  }
  if (url.hash !== '') throw new InvalidConfigError('connectionString has a #: in a password it is written %23')
  const parameters = new Map<string, string>()
  for (const [name, value] of url.searchParams) {
    if (parameters.has(name)) throw new InvalidConfigError(`connectionString has ${name} twice`)
    parameters.set(name, value)
  }
  return {
    host: given(decode('host', url.hostname.replace(/^\[(.*)\]$/, '$1'))),
    port: url.port === '' ? undefined : Number(url.port),
    user: given(decode('user', url.username)),
    password: given(decode('password', url.password)),
    database: given(decode('database', url.pathname.replace(/^\//, ''))),
    parameters,
  }
}

function decode(part: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new InvalidConfigError(`connectionString has a % in its ${part} that escapes nothing: it is written %25`)
  }
}

function given(text: string): string | undefined {
  return text === '' ? undefined : text
}
