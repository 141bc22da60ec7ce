import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ignoresLockLimit, processLimit } from '../../src/internal/system.ts'

/** What a test needs of the system. */
export type Need = 'proc' | 'prlimit' | 'core limit' | 'limited user' | 'own memory' | "other processes' memory"

const PRLIMIT = ['/usr/bin/prlimit', '/bin/prlimit']

/** Why a need is not met; undefined when it is. */
const REASONS: Readonly<Record<Need, () => string | undefined>> = {
  proc: () => (existsSync('/proc/self/smaps') ? undefined : 'there is no /proc/self/smaps'),
  prlimit: () => (PRLIMIT.some((path) => existsSync(path)) ? undefined : 'there is no prlimit: install util-linux'),
  'core limit': () =>
    (processLimit('Max core file size')?.hard ?? 0) >= 16_384 || process.getuid?.() === 0
      ? undefined
      : 'the hard core limit is below 16 KiB',
  'limited user': () =>
    ignoresLockLimit() && process.getuid?.() !== 0
      ? 'this user has CAP_IPC_LOCK and is not root, so it cannot become a user to whom the limit applies'
      : undefined,
  'own memory': () => (existsSync('/proc/self/mem') ? undefined : 'there is no /proc/self/mem'),
  "other processes' memory": () => (existsSync('/proc/self/pagemap') ? undefined : 'there is no /proc/self/pagemap'),
}

/**
 * A test that needs something of the system.
 *
 * Where that is missing it is a loud skip, or on Linux with `ASHERAH_TEST_REQUIRE=all` a failure.
 */
export function testWith(needs: readonly Need[], name: string, run: () => void | Promise<void>): void {
  const missing = needs.flatMap((need) => REASONS[need]() ?? [])
  if (missing.length === 0) {
    test(name, run, 60_000)
    return
  }
  const message = `${name}: did not run: ${missing.join('; ')}`
  if (process.env.ASHERAH_TEST_REQUIRE === 'all' && process.platform === 'linux') {
    test(name, () => expect.fail(message))
    return
  }
  console.warn(`SKIPPED: ${message}`)
  test.skip(message, () => {})
}
