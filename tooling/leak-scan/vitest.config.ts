import { fileURLToPath } from 'node:url'
import { defineConfig, mergeConfig } from 'vitest/config'
import root from '../../vitest.config.ts'

// The tests that must fail, each by what it shows: tooling/test/leak-scan.test.ts runs them in a process of its own.
const workspace = fileURLToPath(new URL('../..', import.meta.url))
const { include: _, ...test } = root.test ?? {}

export default mergeConfig(
  { ...root, test },
  defineConfig({ root: workspace, test: { include: ['tooling/leak-scan/control/*.test.ts'] } }),
)
