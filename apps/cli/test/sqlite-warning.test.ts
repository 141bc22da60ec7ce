import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

test('only the warning about SQLite is dropped', () => {
  const source = new URL('../src/sqlite-warning.ts', import.meta.url)
  const script = `
    import { dropSqliteWarning } from '${source.href}'
    dropSqliteWarning()
    process.emitWarning('SQLite is an experimental feature and might change at any time', 'ExperimentalWarning')
    process.emitWarning('Fancy is an experimental feature', 'ExperimentalWarning')
    process.emitWarning('SQLite something', 'DeprecationWarning')`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  })
  expect(status).toBe(0)
  expect(stderr).toMatch(/Fancy is an experimental feature/)
  expect(stderr).toMatch(/DeprecationWarning: SQLite something/)
  expect(stderr).not.toMatch(/might change at any time/)
})
