import { describe, expect, test } from 'vitest'
import { nativeBinary } from './support/native-build.ts'
import { resultOf, runChild } from './support/run-child.ts'

const KEYS = 100_000

/** Root may lock what it likes, whatever the limit: there, the child is somebody else. */
function limitedTo(bytes: number): string[] {
  const limit = ['prlimit', `--memlock=${bytes}:${bytes}`]
  const isRoot = process.getuid?.() === 0
  return isRoot ? [...limit, 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : limit
}

function run(bytes: number, options: object, ...more: string[]): unknown {
  const args = [String(KEYS), JSON.stringify(options), ...more]
  return resultOf(runChild('many-keys.ts', { args, wrapper: limitedTo(bytes) }))
}

describe.skipIf(nativeBinary() === undefined || process.platform !== 'linux')(
  `${KEYS} keys at a locked-memory limit (D-102)`,
  () => {
    test('8 MiB: all are locked', () => {
      const result = run(8 * 1_024 * 1_024, {})
      expect(result).toMatchObject({ keys: KEYS, encryptedKeys: 0, right: true, warnings: [], afterClose: 0 })
      expect(Object(result).lockedBytes).toBeLessThan(6 * 1_024 * 1_024)
    })

    test('64 KiB: what cannot be locked is encrypted, said once by each provider, and a second one still finds room', () => {
      const result = run(65_536, {}, 'second')
      const warnings = ['LOCK_LIMIT_REACHED', 'LOCK_LIMIT_REACHED']
      expect(result).toMatchObject({ keys: KEYS, right: true, warnings, afterClose: 0 })
      expect(result).toMatchObject({ locked: true, lockVerified: true, second: 'works' })
      const { encryptedKeys, lockedBytes } = Object(result)
      expect(encryptedKeys).toBeGreaterThan(KEYS - 2_000)
      expect(encryptedKeys).toBeLessThan(KEYS)
      expect(lockedBytes).toBeLessThanOrEqual(65_536)
    })

    test('64 KiB, onLockLimit throw: a typed error that says the limit, and the keys before it work', () => {
      const result = run(65_536, { onLockLimit: 'throw' })
      expect(result).toMatchObject({ code: 'ERR_ASHERAH_SECURE_MEMORY', right: true, encryptedKeys: 0, warnings: [] })
      const { message, keys } = Object(result)
      expect(message).toMatch(
        /no further key can be locked in memory: the limit is 65536 bytes, and this library has locked \d+\. Raise it/,
      )
      expect(keys).toBeGreaterThan(500)
    })

    test('one page: keys are encrypted', () => {
      expect(run(4_096, {})).toMatchObject({ keys: KEYS, encryptedKeys: KEYS, right: true, lockedBytes: 4_096 })
    })

    test('0: a typed error at once, in mode auto too, or unlocked keys when that is asked for', () => {
      for (const mode of ['auto', 'required']) {
        const result = run(0, { mode })
        expect(result).toMatchObject({ code: 'ERR_ASHERAH_SECURE_MEMORY', keys: 0 })
        expect(Object(result).message).toMatch(
          /not even one page .*: the limit is 0 bytes, .* or give allowUnlocked: true/,
        )
      }
      expect(run(0, { allowUnlocked: true })).toMatchObject({
        keys: KEYS,
        encryptedKeys: 0,
        right: true,
        locked: false,
        lockedBytes: 0,
        warnings: ['MEMORY_NOT_LOCKED'],
      })
    })
  },
)
