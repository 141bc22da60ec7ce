import { afterAll, afterEach, expect } from 'vitest'
import { markerLines } from './find-markers.ts'
import { createLeakLog } from './leak-log.ts'
import { watchErrors } from './watch-errors.ts'
import { watchChannels, watchChildren, watchInspect, watchPrinting, watchSyncChildren } from './watch-output.ts'

// In each test file's process: a test fails if, while it ran, something showed a secret that tests are seeded with. Seen is
// what this process makes or prints: errors of the library, whether they are thrown, caught or kept, the results of
// `util.inspect`, the library's channels, the console, warnings, and what Node children print into pipes. Not seen: errors
// inside children and worker threads until they print or come back, and other copies of the library (`dist`, tarballs).

const log = createLeakLog()
watchErrors(log)
watchPrinting(log)
watchChildren(log)
watchSyncChildren(log)
watchInspect(log)
watchChannels(log)

function checkNoLeak(): void {
  const leaks = log.take()
  if (leaks.length > 0) throw new Error(`a secret was shown (tooling/leak-scan):\n${leaks.join('\n')}`)
}

afterEach(checkNoLeak)
// Reports print the titles, and `.ci/run` looks through them.
afterEach(() => {
  const title = expect.getState().currentTestName ?? ''
  if (markerLines.some((line) => title.includes(line))) throw new Error('a secret is in the title of this test')
})
// What hooks showed, and what came after the last test.
afterAll(checkNoLeak)
