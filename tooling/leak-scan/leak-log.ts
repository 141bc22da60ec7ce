import { findMarkers, type MarkerName } from './find-markers.ts'

/** What was seen since the last look. */
export interface LeakLog {
  /**
   * Looks at one text.
   *
   * @param where asked for only when there is a leak: the place of an error costs a source map.
   */
  look(where: string | (() => string), text: string, allowed?: ReadonlySet<MarkerName>): void
  /** Whether what has this signature is to be inspected: the first of a kind in a test are, inspection being slow. */
  isNew(signature: string): boolean
  /** The leaks, each with the marker's name and never its value; and forgets them. */
  take(): string[]
}

/** How many of a kind are inspected in one test. */
const INSPECTED = 3

export function createLeakLog(): LeakLog {
  const leaks = new Set<string>()
  const kinds = new Map<string, number>()
  return {
    look(where, text, allowed) {
      for (const name of findMarkers(text)) {
        if (!allowed?.has(name)) leaks.add(`the ${name} is in ${typeof where === 'string' ? where : where()}`)
      }
    },
    isNew(signature) {
      const count = kinds.get(signature) ?? 0
      kinds.set(signature, count + 1)
      return count < INSPECTED
    },
    take() {
      const taken = [...leaks]
      leaks.clear()
      kinds.clear()
      return taken
    },
  }
}
