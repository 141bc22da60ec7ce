import { expect, test } from 'vitest'
import type { Check } from '../src/check.ts'

/** The names of the checks that a subject does not meet. */
export async function failingChecks<S>(checks: readonly Check<S>[], subject: S): Promise<string[]> {
  const failed: string[] = []
  for (const check of checks) {
    try {
      await check.run(subject)
    } catch {
      failed.push(check.name)
    }
  }
  return failed
}

/** A deliberate fault, and the beginnings of the names of the checks that must see it. */
export interface KnownFault<S> {
  readonly fault: string
  readonly seenBy: readonly string[]
  make(): S | Promise<S>
}

/** Registers one test for each fault: the checks that must see it fail, and a sound subject fails none. */
export function faultTests<S>(
  checks: readonly Check<S>[],
  sound: () => S | Promise<S>,
  faults: readonly KnownFault<S>[],
): void {
  test('a sound subject fails no check', async () => {
    expect(await failingChecks(checks, await sound())).toEqual([])
  })
  test.each(faults)('$fault is seen', async ({ seenBy, make }) => {
    const failed = await failingChecks(checks, await make())
    for (const name of seenBy) expect(failed).toContainEqual(expect.stringContaining(name))
  })
  test('every check sees at least one of the faults', () => {
    const seen = faults.flatMap(({ seenBy }) => seenBy)
    const blind = checks.map(({ name }) => name).filter((name) => !seen.some((part) => name.includes(part)))
    expect(blind).toEqual([])
  })
}
