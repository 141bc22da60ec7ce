import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { markerLines } from '../leak-scan/find-markers.ts'
import { workspaceRoot } from '../lib/workspace.ts'

it('`.ci/run` looks for the secrets that tests are seeded with', () => {
  const lines = readFileSync(join(workspaceRoot, 'tooling/seeded-markers.txt'), 'utf8').split('\n')
  // An empty line would be found in every output, a short one by chance.
  expect(lines.pop()).toBe('')
  expect(lines).toEqual(markerLines)
  expect(lines.filter((line) => line.length < 12)).toEqual([])
})

it.each([
  ['packages/kms-static', /SEEDED_MASTER_KEY/],
  ['packages/kms-aws', /SEEDED_ACCOUNT|111122223333/],
  ['packages/kms-vault', /SEEDED_SECRET/],
  ['packages/kms-secrets-manager', /SEEDED_MASTER_KEY_HEX/],
  // The launchers give their servers the seeded password, and the clients of AWS's stand-ins a secret key that is the same.
  ['packages/metastore-postgres', /startPostgres\(/],
  ['packages/metastore-mysql', /startMariaDb\(/],
  ['packages/metastore-dynamodb', /startDynalite\(|startDynamoDbLocal\(/],
  ['packages/metastore-mssql', /SEEDED_SECRET/],
  ['packages/metastore-oracle', /hunter2/],
  ['packages/metastore-sqlite', /SEEDED_MASTER_KEY/],
  ['packages/config', /7365656465644d61/],
  ['packages/asherah', /7365656465644d61/],
  ['packages/compat', /seededMasterKeyThat/],
  ['apps/cli', /SEEDED_PLAINTEXT/],
])('the tests of %s use a seeded secret', (folder, marker) => {
  const files = globSync('test/**/*.ts', { cwd: join(workspaceRoot, folder) })
  const texts = files.map((file) => readFileSync(join(workspaceRoot, folder, file), 'utf8'))
  expect(texts.some((text) => marker.test(text))).toBe(true)
})
