import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

// Its driver has an install script: pnpm ends with ERR_PNPM_IGNORED_BUILDS wherever it is brought along.
test('Oracle is not brought along: an optional peer, found when it is installed beside', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect({ ...manifest.dependencies, ...manifest.optionalDependencies }).not.toHaveProperty('@asherah/metastore-oracle')
  expect(manifest.peerDependencies).toHaveProperty('@asherah/metastore-oracle')
  expect(manifest.peerDependenciesMeta).toEqual({ '@asherah/metastore-oracle': { optional: true } })
  expect(await import('@asherah/metastore-oracle')).toHaveProperty('createOracleMetastore')
})
