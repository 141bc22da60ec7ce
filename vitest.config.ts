import { defineConfig } from 'vitest/config'

// Packages are tested from their sources: the `asherah-source` condition of each `exports` map points there.
// No 'module': Vite would take files that are made for bundlers, which Node cannot load.
const conditions = ['asherah-source', 'node']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{packages,apps}/*/test/**/*.test.ts', 'interop/test/**/*.test.ts', 'tooling/test/**/*.test.ts'],
    // Fails the test that shows a seeded password, key, account or plaintext.
    setupFiles: ['tooling/leak-scan/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Two cores: more workers only make timing-sensitive tests (child processes, servers) slower.
    maxWorkers: 2,
  },
})
