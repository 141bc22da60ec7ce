import { afterAll, beforeAll, describe, test } from 'vitest'

/** One demand of a contract: a plain function that throws when its subject does not meet it. */
export interface Check<S> {
  /** Reads as a sentence about the subject. */
  readonly name: string
  run(subject: S): void | Promise<void>
}

/** What {@link registerChecks} needs to know of one kit's call. */
export interface Registration<S> {
  readonly title: string
  readonly checks: readonly Check<S>[]
  /** Makes the subject that all checks of this call share. */
  setUp(): S | Promise<S>
  tearDown(subject: S): void | Promise<void>
}

/** Registers one vitest test for each check. */
export function registerChecks<S>(registration: Registration<S>): void {
  describe(registration.title, () => {
    let subject: { readonly value: S } | undefined
    beforeAll(async () => {
      subject = { value: await registration.setUp() }
    })
    afterAll(async () => {
      if (subject !== undefined) await registration.tearDown(subject.value)
    })
    for (const check of registration.checks) {
      test(check.name, async () => {
        if (subject === undefined) throw new Error('the kit has no subject: its `create` failed')
        await check.run(subject.value)
      })
    }
  })
}

/** Says in a test's name what the contract leaves open and this subject has not; the test holds it to that. */
export function absenceCheck<S>(method: string, has: (subject: S) => boolean): Check<S> {
  return {
    name: `${method}: not offered, and not there`,
    run(subject) {
      if (has(subject)) throw new Error(`${method} is there: add it to \`offers\`, so that it is tested`)
    },
  }
}
