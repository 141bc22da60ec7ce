import { createTdsServer } from '@asherah/testing/services'
import { afterAll, expect, test } from 'vitest'
import { createPacketReader, toPackets } from '../src/services/tds/packets.ts'

const server = await createTdsServer({ logins: [], databases: { Db: {} } })
afterAll(() => server.close())

const run = (sql: string) => server.run('Db', sql)
const value = (expression: string) => run(`SELECT ${expression} AS v`)[0]?.[0]
const holds = (condition: string) => {
  run("IF OBJECT_ID(N'one') IS NULL CREATE TABLE one (n INT)")
  if (run('SELECT COUNT(*) AS n FROM one')[0]?.[0] === 0n) run('INSERT INTO one (n) VALUES (1)')
  return run(`SELECT n FROM one WHERE ${condition}`).length === 1
}
const numberOf = (sql: string) => {
  try {
    run(sql)
    return undefined
  } catch (error) {
    return error instanceof Error && 'number' in error ? error.number : error
  }
}

test.each([
  'SELECT * FROM one',
  'SELECT 1 UNION SELECT 2',
  'MERGE INTO one USING two ON 1 = 1',
  'BEGIN TRANSACTION',
  "SELECT 1 WHERE N'a' LIKE N'%'",
  'SELECT GETDATE()',
  'DECLARE @x INT',
  'SET IMPLICIT_TRANSACTIONS ON',
  'SET TRANSACTION ISOLATION LEVEL SNAPSHOT',
  'CREATE TABLE t (n DECIMAL)',
  'SELECT a.b.c FROM one',
  'TRUNCATE TABLE one',
  'SELECT N`x`',
])('SQL that it does not know is refused, with the text: %s', (sql) => {
  expect(() => run(sql)).toThrow(/this server (does not know|cannot read|takes)/)
})

test('text is compared as on SQL Server: spaces at the end do not count, whatever the collation', () => {
  expect(holds("N'a' = N'a  '")).toBe(true)
  expect(holds("N'a' = N'a  ' COLLATE Latin1_General_100_BIN2")).toBe(true)
  expect(holds("N'a' = N' a'")).toBe(false)
  expect(holds("N'a' = N'a\t'")).toBe(false)
  expect(holds("N'a\t' < N'a' COLLATE Latin1_General_100_BIN2")).toBe(true)
  expect(holds("N'a' + N'.' = N'a ' + N'.'")).toBe(false)
  expect(value("LEN(N'ab  ')")).toBe(2n)
  expect(value("DATALENGTH(N'ab  ')")).toBe(8n)
})

test('collations: case and accents by default, by their names, and a conflict is an error', () => {
  expect(holds("N'a' = N'A'")).toBe(true)
  expect(holds("N'a' = N'\u00e1'")).toBe(false)
  expect(holds("N'a' = N'\u00c1' COLLATE Latin1_General_100_CI_AI")).toBe(true)
  expect(holds("N'a' = N'A' COLLATE Latin1_General_100_CS_AS")).toBe(false)
  expect(holds("N'a' = N'A' COLLATE Latin1_General_100_BIN2")).toBe(false)
  // By UTF-16 units: a surrogate comes before U+FF61, other than by code points.
  expect(holds("N'😀' < N'\uff61' COLLATE Latin1_General_100_BIN2")).toBe(true)
  expect(numberOf("SELECT 1 AS v FROM one WHERE N'a' = N'a' COLLATE Klingon_CI_AS")).toBe(448)
  const both = "N'a' COLLATE Latin1_General_100_BIN2 = N'a' COLLATE Latin1_General_100_CS_AS"
  expect(numberOf(`SELECT 1 AS v FROM one WHERE ${both}`)).toBe(468)
})

test('numbers: INT overflows, BIGINT does not, division is whole, null is unknown', () => {
  expect(numberOf('SELECT 2147483647 + 1 AS v')).toBe(8115)
  expect(value('CAST(2147483647 AS BIGINT) + 1')).toBe(2_147_483_648n)
  expect(value('253402300799 / 86400')).toBe(2_932_896n)
  expect(value('0 - 7 % 4')).toBe(-3n)
  expect(numberOf('SELECT 1 / 0 AS v')).toBe(8134)
  expect(holds('NULL = NULL')).toBe(false)
  expect(holds('NOT NULL = 1')).toBe(false)
  expect(holds('NULL = 1 OR 1 = 1')).toBe(true)
  expect(holds('2 IN (1, NULL)')).toBe(false)
})

test('DATEADD takes an INT, a text is a DATETIME, and DATETIME keeps 1/300 s', () => {
  const added = (seconds: string) => `CONVERT(NVARCHAR(33), DATEADD(SECOND, ${seconds}, '1970-01-01'), 126)`
  expect(value(added('2147483647'))).toBe('2038-01-19T03:14:07')
  expect(numberOf(`SELECT ${added('2147483648')} AS v`)).toBe(8115)
  const text = (fraction: string, type: string) =>
    value(`CONVERT(NVARCHAR(33), CAST('2026-11-21T08:56:00.${fraction}' AS ${type}), 126)`)
  expect(['001', '002', '005', '008', '999'].map((f) => text(f, 'DATETIME'))).toEqual([
    '2026-11-21T08:56:00',
    '2026-11-21T08:56:00.003',
    '2026-11-21T08:56:00.007',
    '2026-11-21T08:56:00.007',
    '2026-11-21T08:56:01',
  ])
  expect(text('1239999', 'DATETIME2(3)')).toBe('2026-11-21T08:56:00.124')
  expect(text('1239999', 'DATETIME2')).toBe('2026-11-21T08:56:00.1239999')
  expect(numberOf("SELECT CAST('1700-01-01' AS DATETIME) AS v")).toBe(517)
  expect(numberOf("SELECT CAST('21.11.2026' AS DATETIME) AS v")).toBe(241)
})

test('constraints: a second row with equal keys is 2627, null is 515, text that is too long is 2628', () => {
  run('CREATE TABLE keyed (id NVARCHAR(5) NOT NULL, n INT NOT NULL, PRIMARY KEY (id, n))')
  run("INSERT INTO keyed (id, n) VALUES (N'a', 1)")
  expect(numberOf("INSERT INTO keyed (id, n) VALUES (N'A ', 1)")).toBe(2627)
  expect(numberOf("INSERT INTO keyed (id) VALUES (N'b')")).toBe(515)
  expect(numberOf("INSERT INTO keyed (id, n) VALUES (N'toolong', 1)")).toBe(2628)
  run("INSERT INTO keyed (id, n) VALUES (N'b', 1)")
  expect(numberOf("UPDATE keyed SET id = N'a' WHERE id = N'b'")).toBe(2627)
  expect(run('SELECT id FROM keyed ORDER BY id DESC')).toEqual([['b'], ['a']])
  expect(numberOf('SELECT nothing FROM keyed')).toBe(207)
  expect(numberOf('SELECT id FROM absent')).toBe(208)
  expect(numberOf('CREATE TABLE keyed (n INT)')).toBe(2714)
})

test('packets are put together whatever the pieces, and a message is cut to the packet size', () => {
  const data = Buffer.from(Array.from({ length: 1_000 }, (_, i) => i & 0xff))
  const bytes = toPackets(3, data, 512)
  expect(bytes.readUInt16BE(2)).toBe(512)
  for (const step of [1, 7, 511, 512, 5_000]) {
    const reader = createPacketReader()
    const messages = []
    for (let at = 0; at < bytes.length; at += step) messages.push(...reader.push(bytes.subarray(at, at + step)))
    expect(messages).toEqual([{ type: 3, data, reset: false }])
  }
  expect(() => createPacketReader().push(Buffer.alloc(8))).toThrow(/0 bytes/)
})
