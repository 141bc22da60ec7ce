import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Vitest 5, which the workspace uses, does not run on Node 20; vitest 4 does, and runs the same test files.
const conditions = ['asherah-source', 'node']

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: {
    conditions,
    alias: [{ find: /^vitest$/, replacement: fileURLToPath(import.meta.resolve('vitest')) }],
  },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/core/test/**/*.test.ts', 'packages/{kms,cache}-*/test/**/*.test.ts'],
    // Tests against services show the services, and run once, on the workspace's Node.
    exclude: ['**/*.int.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
})
