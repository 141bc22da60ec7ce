import {
  AsherahError,
  type Call,
  type Metastore,
  type MetastoreFinding,
  type MetastoreReport,
  parseEnvelopeKeyRecord,
} from '@asherah/core/backend'
import type { Connection, Database } from './database.ts'
import type { Settings } from './options.ts'
import { pagedRows } from './pages.ts'
import { quoteName } from './statements.ts'

/** The report names at most this many bad rows. */
const MAX_BAD_ROWS = 100

/** Looks at the file, the table's shape and every row; writes nothing and creates nothing. */
export async function checkDatabase(
  metastore: Metastore,
  database: Database,
  settings: Settings,
  call: (Call & { readonly keyId?: string }) | undefined,
): Promise<MetastoreReport> {
  const shape = await inspectFile(database, settings, call)
  const columns = shape.filter((f) => f.check === 'columns')
  if (columns.length === 0 || columns.some((f) => f.level === 'fail')) return report(shape)
  const rows = await inspectRows(database, settings.tableName, call)
  const latest = call?.keyId === undefined ? [] : [await inspectLatest(metastore, call.keyId, call)]
  return report([...shape, ...rows, ...latest])
}

async function inspectFile(
  database: Database,
  settings: Settings,
  call: Call | undefined,
): Promise<MetastoreFinding[]> {
  try {
    return await database.inspect('check', call, [missingFile(settings)], (c) => inspectShape(c, settings.tableName))
  } catch (error) {
    // What cannot be opened is a finding, and no reason to have no report.
    if (error instanceof AsherahError && error.code === 'ERR_ASHERAH_METASTORE')
      return [finding('fail', 'file', error.message)]
    throw error
  }
}

function report(findings: readonly MetastoreFinding[]): MetastoreReport {
  return { ok: findings.every((finding) => finding.level !== 'fail'), findings }
}

function missingFile({ path, readOnly }: Settings): MetastoreFinding {
  if (readOnly) return finding('fail', 'file', `there is no file ${path}`)
  return finding('warn', 'file', `${path} does not exist yet: the first store creates it`)
}

function finding(level: MetastoreFinding['level'], check: string, message: string, query?: string): MetastoreFinding {
  return query === undefined ? { level, check, message } : { level, check, message, query }
}

function inspectShape(c: Connection, tableName: string): MetastoreFinding[] {
  const journal = String(c.prepare('PRAGMA journal_mode').get()?.journal_mode)
  const encoding = String(c.prepare('PRAGMA encoding').get()?.encoding)
  const findings = [
    journal === 'wal'
      ? finding('pass', 'journal', 'the file is in WAL mode')
      : finding(
          'warn',
          'journal',
          `the file is in ${journal} mode: readers and writers wait for each other`,
          'PRAGMA journal_mode',
        ),
    encoding === 'UTF-8'
      ? finding('pass', 'encoding', 'text is UTF-8')
      : finding('fail', 'encoding', `text is ${encoding}: ids would not sort by their UTF-8 bytes`, 'PRAGMA encoding'),
  ]
  const columns = c.prepare(`PRAGMA table_xinfo(${quoteName(tableName)})`).all()
  if (columns.length === 0) {
    return [
      ...findings,
      finding('warn', 'table', `there is no table ${quoteName(tableName)} yet: the first store creates it`),
    ]
  }
  findings.push(finding('pass', 'table', `the table ${quoteName(tableName)} is there`))
  findings.push(...inspectColumns(columns, tableName), ...inspectIndexes(c, tableName))
  return findings
}

type Row = Record<string, unknown>

function inspectColumns(columns: readonly Row[], tableName: string): MetastoreFinding[] {
  const query = `PRAGMA table_xinfo(${quoteName(tableName)})`
  const expected: ReadonlyMap<string, RegExp> = new Map([
    ['id', /CHAR|CLOB|TEXT/i],
    ['created', /TIMESTAMP|DATETIME/i],
    ['key_record', /CHAR|CLOB|TEXT|JSON/i],
  ])
  const findings: MetastoreFinding[] = []
  for (const [name, type] of expected) {
    const column = columns.find((c) => String(c.name).toLowerCase() === name)
    if (column === undefined) {
      findings.push(finding('fail', 'columns', `the column ${name} is missing`, query))
    } else if (!type.test(String(column.type))) {
      findings.push(finding('warn', 'columns', `the column ${name} is of type ${String(column.type)}`, query))
    }
  }
  for (const column of columns) {
    if (expected.has(String(column.name).toLowerCase()) || column.notnull !== 1 || column.dflt_value !== null) continue
    findings.push(
      finding('fail', 'columns', `the column ${String(column.name)} must be given, and no insert gives it`, query),
    )
  }
  if (findings.length === 0) findings.push(finding('pass', 'columns', 'id, created and key_record are there'))
  return findings
}

function inspectIndexes(c: Connection, tableName: string): MetastoreFinding[] {
  const query = `PRAGMA index_list(${quoteName(tableName)})`
  let unique: Row[] | undefined
  let leading = false
  for (const index of c.prepare(query).all()) {
    const keys = c
      .prepare(`PRAGMA index_xinfo(${quoteName(String(index.name))})`)
      .all()
      .filter((key) => key.key === 1)
    const names = keys.map((key) => String(key.name).toLowerCase())
    leading ||= names[0] === 'id' && index.partial === 0
    if (index.unique === 1 && index.partial === 0 && names.toSorted().join() === 'created,id') unique = keys
  }
  const findings: MetastoreFinding[] = []
  const collation = unique?.find((key) => String(key.name).toLowerCase() === 'id')?.coll
  if (unique === undefined)
    findings.push(finding('fail', 'unique', 'no primary key or unique index on (id, created)', query))
  else if (collation !== 'BINARY') {
    findings.push(finding('fail', 'unique', `ids that ${String(collation)} takes for equal exclude each other`, query))
  } else findings.push(finding('pass', 'unique', '(id, created) is unique, by bytes'))
  if (leading) findings.push(finding('pass', 'index', 'an index starts with id'))
  else findings.push(finding('warn', 'index', 'no index starts with id: each load reads the whole table', query))
  return findings
}

async function inspectRows(database: Database, tableName: string, call: Call | undefined): Promise<MetastoreFinding[]> {
  let rows = 0
  let otherForms = 0
  let unreadableTimes = 0
  const bad: string[] = []
  for await (const row of pagedRows(database, call)) {
    rows += 1
    if (row.seconds === null) unreadableTimes += 1
    else if (!row.canonical) otherForms += 1
    if (bad.length === MAX_BAD_ROWS || row.seconds === null) continue
    const problem = problemOf(row.keyId, row.seconds, row.keyRecord)
    if (problem !== undefined) bad.push(problem)
  }
  const query = `SELECT id, created FROM ${quoteName(tableName)}`
  const findings = bad.map((message) => finding('fail', 'json', message))
  if (bad.length === 0) findings.push(finding('pass', 'json', `${rows} rows can be read`))
  findings.push(
    unreadableTimes === 0
      ? finding('pass', 'created', 'every created is a time in UTC')
      : finding('fail', 'created', `${unreadableTimes} rows have a created that is not a time`, query),
  )
  if (otherForms > 0) {
    const message = `${otherForms} rows have a created that is not YYYY-MM-DD HH:MM:SS: asherah-ffi does not find them`
    findings.push(finding('warn', 'created', message, query), await inspectDoubles(database, call))
  }
  return findings
}

async function inspectDoubles(database: Database, call: Call | undefined): Promise<MetastoreFinding> {
  const found = await database.read('check', call, { doubles: 0, query: '' }, (c) => ({
    doubles: Number(c.prepare(c.texts.doubles).get()?.doubles),
    query: c.texts.doubles,
  }))
  if (found.doubles === 0) return finding('pass', 'doubles', 'no second of an id is there in two forms')
  return finding('fail', 'doubles', `${found.doubles} keys are there twice, in two forms of created`, found.query)
}

function problemOf(keyId: string, created: number, keyRecord: unknown): string | undefined {
  const row = `${JSON.stringify(keyId)}, created ${created}`
  if (typeof keyRecord !== 'string') return `${row}: key_record is not text`
  try {
    parseEnvelopeKeyRecord(keyRecord, { keyId, created })
    return undefined
  } catch (error) {
    if (error instanceof AsherahError) return `${row}: ${error.message}`
    throw error
  }
}

async function inspectLatest(metastore: Metastore, keyId: string, call: Call): Promise<MetastoreFinding> {
  try {
    const latest = await metastore.loadLatest(keyId, call.signal === undefined ? {} : { signal: call.signal })
    if (latest === null) return finding('warn', 'latest', `there is no row of ${JSON.stringify(keyId)}`)
    return finding('pass', 'latest', `the latest of ${JSON.stringify(keyId)} was created ${latest.created}`)
  } catch (error) {
    if (!(error instanceof AsherahError) || error.code === 'ERR_ASHERAH_ABORTED') throw error
    return finding('fail', 'latest', error.message)
  }
}
