import { join } from 'node:path'
import { runTool } from '@asherah/testing/services'
import { describe, expect, it, vi } from 'vitest'
import { bunRuntime } from '../src/peers.ts'

// Each test starts a process, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

const root = join(import.meta.dirname, '..')
const runtime = await bunRuntime()

describe('under Bun', () => {
  if (!runtime.available) {
    const message = `nothing ran under Bun: ${runtime.reason}`
    if (process.env.ASHERAH_TEST_REQUIRE !== 'all') console.warn(`SKIPPED: ${message}`)
    it.skipIf(process.env.ASHERAH_TEST_REQUIRE !== 'all')(message, () => expect.fail(message))
    return
  }
  const { path } = runtime

  it.each([
    'bun/round-trip.mjs',
    'drop-in/programs/v3-sync.cjs',
    'drop-in/programs/v3-async.cjs',
    'drop-in/programs/v4-module.mjs',
    'drop-in/programs/v4-factory.mjs',
  ])('%s', async (program) => {
    const ended = await runTool(path, ['--conditions=asherah-source', join(root, program)])
    expect(ended).toEqual({ status: 'ok', output: 'ok' })
  })
})
