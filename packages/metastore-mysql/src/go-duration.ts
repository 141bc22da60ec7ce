import { InvalidConfigError } from '@asherah/core/backend'

/** In milliseconds. Both signs that Go takes for micro are here: U+00B5 and U+03BC. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  '\u00B5s': 1e-3,
  '\u03BCs': 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00B5s|\u03BCs|ms|s|m|h)/g
const WHOLE = new RegExp(`^\\+?(?:0|(?:${PART.source})+)$`)

/** Some 24 days: more than a timer of Node takes is about as much. */
const MAX_MS = 596 * 3_600_000

/**
 * A duration as Go writes it (`30s`, `1m30s`, `500ms`), in whole milliseconds, rounded up; undefined for 0, which is Go's
 * "no limit" and ours to fill.
 *
 * @param name The parameter, for messages.
 * @throws InvalidConfigError without the text.
 */
export function parseGoDuration(name: string, text: string): number | undefined {
  const parts = WHOLE.test(text) ? [...text.matchAll(PART)] : undefined
  const ms = parts?.reduce((sum, [, figures = '', unit = '']) => sum + Number(figures) * (UNITS[unit] ?? 0), 0)
  if (ms === undefined || ms > MAX_MS) {
    throw new InvalidConfigError(
      `connectionString: ${name} must be a duration of Go, such as 30s, 1m30s or 500ms, of at most 596h`,
    )
  }
  return ms === 0 ? undefined : Math.ceil(ms)
}
