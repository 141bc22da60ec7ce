import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { SEEDED_SECRET } from '../../packages/testing/src/services.ts'
import { workspaceRoot } from '../lib/workspace.ts'

it('`.ci/run` looks for the passwords that the launchers give their servers', () => {
  const markers = readFileSync(join(workspaceRoot, 'tooling/seeded-markers.txt'), 'utf8').split('\n')
  expect(markers).toContain(SEEDED_SECRET)
  // An empty line would be found in every output.
  expect(markers.filter((marker) => marker.length < 16)).toEqual([''])
  expect(markers.at(-1)).toBe('')
})
