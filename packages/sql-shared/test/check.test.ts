import { serializeEnvelopeKeyRecord } from '@asherah/core/backend'
import { createPool, createSqlMetastore, type Inspection, type StoredRow } from '@asherah/sql-shared'
import { expect, test } from 'vitest'
import { CREATED, driverError, fakeConnector, fakeDialect, INSPECTION, keyOf, LIMITS, SETTINGS } from './fakes.ts'

const GOOD: StoredRow = { id: 'k', seconds: CREATED, keyRecord: serializeEnvelopeKeyRecord(keyOf('k')) }

async function check(rows: StoredRow[], inspection: Inspection = INSPECTION, keyId?: string) {
  const dialect = fakeDialect(rows)
  dialect.inspection = inspection
  const metastore = createSqlMetastore(dialect, createPool('Fake', fakeConnector(), LIMITS), SETTINGS)
  const report = await metastore.check(keyId === undefined ? {} : { keyId })
  const found = (level: string): string[] => report.findings.filter((f) => f.level === level).map((f) => f.check)
  return { report, fails: found('fail'), warns: found('warn') }
}

test('a sound table: ok, column names in any case, and the latest of an id', async () => {
  const { report, fails, warns } = await check([GOOD], INSPECTION, 'k')
  expect({ ok: report.ok, fails, warns }).toEqual({ ok: true, fails: [], warns: [] })
  expect(report.findings.map((f) => f.check)).toContain('latest')
})

test('no table', async () => {
  const { fails } = await check([], { ...INSPECTION, columns: [] })
  expect(fails).toEqual(['table'])
})

test.each([
  ['a column is missing', INSPECTION.columns.slice(0, 2)],
  ['a column has another type', INSPECTION.columns.map((c) => ({ ...c, type: 'bytea' }))],
  ['another column must be given', [...INSPECTION.columns, { name: 'tenant', type: 'text', required: true }]],
])('%s', async (_, columns) => {
  const { fails, report } = await check([GOOD], { ...INSPECTION, columns })
  expect(new Set(fails)).toEqual(new Set(['columns']))
  expect(report.findings.find((f) => f.level === 'fail')?.query).toBe('SHOW COLUMNS')
})

test('no uniqueness, an index that ignores case, an index in another order', async () => {
  expect((await check([GOOD], { ...INSPECTION, indexes: [] })).fails).toEqual(['unique'])
  const inexact = [{ columns: ['id', 'created'], unique: true, collation: 'ci', exact: false }]
  expect((await check([GOOD], { ...INSPECTION, indexes: inexact })).warns).toEqual(['collation'])
  const reversed = [{ columns: ['created', 'id'], unique: true, collation: 'C', exact: true }]
  expect((await check([GOOD], { ...INSPECTION, indexes: reversed })).warns).toEqual(['index'])
})

test('rows that cannot be read: at most 100 are named, and the first failure hides none of the rest', async () => {
  const bad = Array.from({ length: 150 }, (_, i) => ({ ...GOOD, id: `bad-${i}`, keyRecord: 'no json' }))
  const { report, fails } = await check([...bad, GOOD])
  expect(report.ok).toBe(false)
  expect(fails.filter((name) => name === 'json')).toHaveLength(100)
})

test('D-048 rows that were written in another time zone are told from rows that are merely wrong', async () => {
  const shifted = { ...GOOD, seconds: CREATED - 5 * 3_600 }
  const wrong = { ...GOOD, seconds: CREATED + 1 }
  const { report } = await check([shifted, shifted, wrong])
  const zone = report.findings.filter((f) => f.check === 'zone')
  expect(zone.map((f) => f.message)).toEqual([
    '2 rows have a created that is not in UTC but -5 h away, as their key_record shows',
  ])
})

test('a created that is no whole second', async () => {
  const { fails } = await check([{ ...GOOD, seconds: `${CREATED}.5` }])
  expect(fails).toEqual(['json', 'created'])
})

test('a server that is away, and a table that may not be read, are findings', async () => {
  for (const [method, name] of [
    ['inspect', 'connection'],
    ['page', 'rows'],
  ]) {
    const dialect = fakeDialect([GOOD])
    dialect.before = (called) => {
      if (called === method) throw driverError('PERMISSION_DENIED')
    }
    const metastore = createSqlMetastore(dialect, createPool('Fake', fakeConnector(), LIMITS), SETTINGS)
    const { ok, findings } = await metastore.check()
    expect(ok).toBe(false)
    expect(findings.filter((f) => f.level === 'fail').map((f) => f.check)).toEqual([name])
  }
})
