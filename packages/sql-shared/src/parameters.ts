import { readFileSync } from 'node:fs'
import { InvalidConfigError, nearestName } from '@asherah/core/backend'
import type { TlsOptions } from './tls.ts'

/** @throws InvalidConfigError for a parameter of a connection string that is not known, naming the nearest one. */
export function checkKnownParameters(names: Iterable<string>, known: readonly string[]): void {
  for (const name of names) {
    if (known.includes(name)) continue
    const nearest = nearestName(name, known)
    const hint = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`
    throw new InvalidConfigError(`connectionString has no parameter ${JSON.stringify(name)}: ${hint}`)
  }
}

/**
 * The TLS options of a connection string that names PEM files.
 *
 * @param names The parameters that name the files.
 * @throws InvalidConfigError when a file cannot be read.
 */
export function tlsFiles(
  values: ReadonlyMap<string, string>,
  names: { readonly ca: string; readonly cert: string; readonly key: string },
): TlsOptions {
  const [ca, cert, key] = [names.ca, names.cert, names.key].map((name) => pemFile(name, values.get(name)))
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

function pemFile(name: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new InvalidConfigError(`${name}: the file ${path} cannot be read`, { cause: error })
  }
}
