import { expect } from 'vitest'
import { maxMapCount } from '../src/internal/system.ts'
import { testWith } from './support/needs.ts'
import { runChild } from './support/run-child.ts'

testWith(['proc'], 'protected memory refuses well before the process has no memory mappings left', async () => {
  const result = await runChild('many.ts')
  expect(result, result.stderr).toMatchObject({ code: 0, signal: null })
  const { made, right, error, second } = JSON.parse(result.stdout)
  expect(right).toBe(true)
  expect(made).toBeGreaterThan(8)
  expect(second).toBeGreaterThan(8)
  expect(made).toBeLessThan((maxMapCount() ?? 65_530) / 8)
  expect(error.code).toBe('ERR_ASHERAH_SECURE_MEMORY')
  // Whichever limit is the lower one here.
  expect(error.message).toMatch(/vm\.max_map_count|RLIMIT_MEMLOCK/)
  expect(error.message).toContain('createEnclaveMemory')
})
