import { InvalidConfigError } from '@asherah/core/backend'

/** The clock of one place: between Unix seconds and what its clock shows, as seconds since 1970-01-01 00:00:00 there. */
export interface TimeZone {
  toLocal(seconds: number): number
  /** The instants at which the clock shows this: none in a hour that it skips, two in one that it repeats. */
  fromLocal(local: number): readonly number[]
}

const DAY = 86_400

/**
 * @param name An IANA name, such as `America/New_York`.
 * @throws InvalidConfigError for a name that this machine does not know.
 */
export function createTimeZone(name: string): TimeZone {
  const format = formatFor(name)
  const toLocal = (seconds: number): number => {
    const parts = new Map(format.formatToParts(seconds * 1_000).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
    const date = new Date(0)
    // Not Date.UTC: it takes the years 0 to 99 for 1900 and later.
    date.setUTCFullYear(part('year'), part('month') - 1, part('day'))
    date.setUTCHours(part('hour'), part('minute'), part('second'))
    return date.getTime() / 1_000
  }
  return {
    toLocal,
    fromLocal(local) {
      // No zone is further from UTC than a day, nor changes twice within two.
      const offsets = new Set([local - DAY, local + DAY].map((near) => toLocal(near) - near))
      return [...offsets].map((offset) => local - offset).filter((seconds) => toLocal(seconds) === local)
    },
  }
}

function formatFor(name: unknown): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: String(name),
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch (error) {
    throw new InvalidConfigError('columnTimeZone must be the IANA name of a zone, such as America/New_York', {
      cause: error,
    })
  }
}
