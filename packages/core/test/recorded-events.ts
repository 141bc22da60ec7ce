import { afterEach, beforeEach } from 'vitest'
import type { KeyEvent } from '../src/index.ts'
import { type Recording, recordEvents } from './fakes.ts'

/** What the channels published during the test that runs. */
export interface RecordedEvents extends Pick<Recording, 'key' | 'cache' | 'warning'> {
  /** The key events of one kind. */
  keysThat(happened: KeyEvent['event']): KeyEvent[]
}

/** As `recordEvents`, anew for each test of the file or block that calls it. */
export function recordEachTest(): RecordedEvents {
  let recording: Recording | undefined
  const current = (): Recording => {
    if (recording === undefined) throw new Error('no test runs')
    return recording
  }
  beforeEach(() => {
    recording = recordEvents()
  })
  afterEach(() => current().stop())
  return {
    get key() {
      return current().key
    },
    get cache() {
      return current().cache
    },
    get warning() {
      return current().warning
    },
    keysThat: (happened) => current().key.filter(({ event }) => event === happened),
  }
}
