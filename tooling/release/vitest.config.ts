import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// `pnpm test:release`: apart from `pnpm test` because it installs packages and takes minutes.
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['tooling/release/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
})
