import { InvalidConfigError } from '../errors.ts'

/**
 * Refuses options that are not known, naming the nearest one that is.
 *
 * @throws InvalidConfigError also when `options` is not an object of options.
 */
export function checkKnownOptions(what: string, options: object, known: readonly string[]): void {
  const given: unknown = options
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidConfigError(`${what} takes one object of options`)
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const nearest = nearestName(name, known)
    const hint = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`
    throw new InvalidConfigError(`${what} has no option ${JSON.stringify(name)}: ${hint}`)
  }
}

/** The known name within a third of the given one's length in edits (Levenshtein), if there is one. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
