import { afterAll, describe, test } from 'vitest'
import type { Service } from './service.ts'

/**
 * A `describe` over a service that {@link startService} gave: it is stopped after the block; where there is none, one
 * skipped test says what is missing.
 *
 * @param body Declares the tests; gets how to reach the service.
 */
export function describeService<T>(name: string, service: Service<T>, body: (details: T) => void): void {
  describe(name, () => {
    if (!service.available) {
      test.skip(`SKIPPED, ${service.reason}`, () => {})
      return
    }
    afterAll(() => service.stop())
    body(service.details)
  })
}
