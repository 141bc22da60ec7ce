import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { crateChecks, packageDir } from '../scripts/native-build.ts'
import { nativeBinary } from './support/native-build.ts'

describe.skipIf(nativeBinary() === undefined)('the crate', () => {
  test.each(crateChecks)(
    '$name',
    ({ args }) => {
      const { status, stdout, stderr } = spawnSync('cargo', args, {
        cwd: join(packageDir, 'crate'),
        encoding: 'utf8',
        maxBuffer: 64 * 1_024 * 1_024,
      })
      expect(status, stdout + stderr).toBe(0)
    },
    900_000,
  )
})
