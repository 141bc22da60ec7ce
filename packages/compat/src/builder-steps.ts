import { InvalidConfigError } from '@asherah/core'

/**
 * Makes a step of a builder refuse the calls that only a later step has. Types rule them out; in JavaScript, a step that was
 * left out would be a `TypeError` without a word of which.
 *
 * @param later Methods of later steps.
 */
export function refuseSkipping<T extends object>(step: T, later: readonly string[]): T {
  const missing = Object.keys(step).join(' or ')
  for (const name of later) {
    Object.defineProperty(step, name, {
      value() {
        throw new InvalidConfigError(`a step of the builder is missing: ${missing} comes before ${name}`)
      },
    })
  }
  return step
}
