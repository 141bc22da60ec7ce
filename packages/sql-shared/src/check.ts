import {
  AsherahError,
  type Call,
  type Metastore,
  type MetastoreFinding,
  type MetastoreReport,
} from '@asherah/core/backend'
import { recordOfRow, type StoredRow, secondsOf } from './rows.ts'

/** One column as the server describes it. */
export interface ColumnShape {
  readonly name: string
  readonly type: string
  /** An insert must give it: it is NOT NULL and has no default. */
  readonly required: boolean
}

/** An index that holds every row of the table. */
export interface IndexShape {
  /** In their order, in lower case. */
  readonly columns: readonly string[]
  readonly unique: boolean
  /** How the ids in it are compared. */
  readonly collation: string
  /** False when that takes different ids for equal. */
  readonly exact: boolean
}

/** The types that fit the three columns. */
export type ColumnTypes = Readonly<Record<'id' | 'created' | 'key_record', RegExp>>

/** What a server says of the table. */
export interface Inspection {
  /** The table's name as SQL says it. */
  readonly table: string
  /** None: there is no such table. */
  readonly columns: readonly ColumnShape[]
  readonly types: ColumnTypes
  readonly indexes: readonly IndexShape[]
  /** Statements that show the columns and the indexes. */
  readonly queries: { readonly columns: string; readonly indexes: string }
  /** What only this database has: its zone, its version, its replica. */
  readonly findings: readonly MetastoreFinding[]
}

/** What {@link checkTable} looks at. */
export interface CheckSubject {
  inspect(): Promise<Inspection>
  rows(): AsyncIterable<StoredRow>
  readonly call: (Call & { readonly keyId?: string }) | undefined
}

/** The report names at most this many bad rows. */
const MAX_BAD_ROWS = 100

/** Looks at the table's shape and at every row; writes nothing. */
export async function checkTable(metastore: Metastore, subject: CheckSubject): Promise<MetastoreReport> {
  const inspection = await findingInstead('connection', () => subject.inspect())
  if ('level' in inspection) return report([inspection])
  const shape = [finding('pass', 'connection', 'the server answers'), ...inspection.findings]
  if (inspection.columns.length === 0) {
    const { table, queries } = inspection
    return report([
      ...shape,
      finding('fail', 'table', `there is no table ${table}, or it may not be seen`, queries.columns),
    ])
  }
  shape.push(finding('pass', 'table', `the table ${inspection.table} is there`))
  const columns = columnFindings(inspection)
  shape.push(...columns, ...indexFindings(inspection))
  if (columns.some((f) => f.level === 'fail')) return report(shape)

  const rows = await findingInstead('rows', () => rowFindings(subject, inspection))
  const keyId = subject.call?.keyId
  const latest = keyId === undefined ? [] : [await latestFinding(metastore, keyId, subject.call)]
  return report([...shape, ...('level' in rows ? [rows] : rows), ...latest])
}

/** What cannot be read is a finding, and no reason to have no report. */
async function findingInstead<T>(check: string, read: () => Promise<T>): Promise<T | MetastoreFinding> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof AsherahError) || error.code !== 'ERR_ASHERAH_METASTORE') throw error
    return finding('fail', check, error.message)
  }
}

function report(findings: readonly MetastoreFinding[]): MetastoreReport {
  return { ok: findings.every((f) => f.level !== 'fail'), findings }
}

/** A finding of a report. */
export function finding(
  level: MetastoreFinding['level'],
  check: string,
  message: string,
  query?: string,
): MetastoreFinding {
  return query === undefined ? { level, check, message } : { level, check, message, query }
}

function columnFindings({ columns, types, queries }: Inspection): MetastoreFinding[] {
  const findings: MetastoreFinding[] = []
  for (const [name, fits] of Object.entries(types)) {
    const column = columns.find((c) => c.name.toLowerCase() === name)
    if (column === undefined) {
      findings.push(finding('fail', 'columns', `the column ${name} is missing`, queries.columns))
    } else if (!fits.test(column.type)) {
      findings.push(finding('fail', 'columns', `the column ${name} is of type ${column.type}`, queries.columns))
    }
  }
  for (const column of columns) {
    if (Object.hasOwn(types, column.name.toLowerCase()) || !column.required) continue
    findings.push(
      finding('fail', 'columns', `the column ${column.name} must be given, and no insert gives it`, queries.columns),
    )
  }
  if (findings.length > 0) return findings
  return [finding('pass', 'columns', `${columns.map((c) => `${c.name} ${c.type}`).join(', ')}`)]
}

function indexFindings({ indexes, queries }: Inspection): MetastoreFinding[] {
  const unique = indexes.filter((index) => index.unique && index.columns.toSorted().join() === 'created,id')
  const inexact = indexes.find((index) => index.unique && index.columns.includes('id') && !index.exact)
  const ordered = indexes.some((index) => index.columns[0] === 'id' && index.columns[1] === 'created')
  const leading = indexes.some((index) => index.columns[0] === 'id')
  const findings: MetastoreFinding[] = []
  if (unique.length === 0) {
    findings.push(finding('fail', 'unique', 'no primary key or unique index on (id, created)', queries.indexes))
  } else findings.push(finding('pass', 'unique', '(id, created) is unique'))
  if (inexact !== undefined) {
    const message = `the unique index compares ids by ${inexact.collation}: of two partitions whose names it takes for equal, the second cannot store a key of the same second`
    findings.push(finding('warn', 'collation', message, queries.indexes))
  }
  if (ordered) findings.push(finding('pass', 'index', 'an index starts with (id, created)'))
  else if (leading) findings.push(finding('warn', 'index', 'no index starts with (id, created)', queries.indexes))
  else findings.push(finding('warn', 'index', 'no index starts with id: each load reads the table', queries.indexes))
  return findings
}

async function rowFindings(subject: CheckSubject, { table }: Inspection): Promise<MetastoreFinding[]> {
  let rows = 0
  let badTimes = 0
  const shifts = new Map<number, number>()
  const bad: string[] = []
  for await (const row of subject.rows()) {
    rows += 1
    const problem = problemOf(row)
    if (problem === undefined) continue
    if (bad.length < MAX_BAD_ROWS) bad.push(problem)
    if (secondsOf(row.seconds) === undefined) badTimes += 1
    const shift = zoneShiftOf(row)
    if (shift !== 0) shifts.set(shift, (shifts.get(shift) ?? 0) + 1)
  }
  const findings = bad.map((message) => finding('fail', 'json', message))
  if (bad.length === 0) findings.push(finding('pass', 'json', `${rows} rows can be read`))
  const query = `SELECT id, created FROM ${table}`
  if (badTimes === 0) findings.push(finding('pass', 'created', 'every created is a whole second'))
  else findings.push(finding('fail', 'created', `${badTimes} rows have a created that is not a whole second`, query))
  for (const [shift, count] of shifts) {
    const message = `${count} rows have a created that is not in UTC but ${shift / 3_600} h away, as their key_record shows`
    findings.push(finding('fail', 'zone', message, query))
  }
  if (shifts.size === 0) findings.push(finding('pass', 'zone', 'created is in UTC'))
  return findings
}

/** Quarters of an hour, up to the farthest zones: UTC-12 and UTC+14. */
const ZONE_STEP_S = 900
const MAX_ZONE_S = 14 * 3_600

/** By how many seconds a bad row's `created` was written in another zone than UTC, if that is what is wrong with it. */
function zoneShiftOf({ seconds, keyRecord }: StoredRow): number {
  const column = secondsOf(seconds)
  const created = createdOf(keyRecord)
  if (column === undefined || created === undefined) return 0
  const shift = column - created
  return shift % ZONE_STEP_S === 0 && Math.abs(shift) <= MAX_ZONE_S ? shift : 0
}

function createdOf(keyRecord: unknown): number | undefined {
  try {
    return secondsOf(Object(JSON.parse(String(keyRecord))).Created)
  } catch {
    return undefined
  }
}

function problemOf(row: StoredRow): string | undefined {
  try {
    recordOfRow(row)
    return undefined
  } catch (error) {
    if (error instanceof AsherahError) return error.message
    throw error
  }
}

async function latestFinding(metastore: Metastore, keyId: string, call: Call | undefined): Promise<MetastoreFinding> {
  try {
    const latest = await metastore.loadLatest(keyId, call?.signal === undefined ? {} : { signal: call.signal })
    if (latest === null) return finding('warn', 'latest', `there is no row of ${JSON.stringify(keyId)}`)
    return finding('pass', 'latest', `the latest of ${JSON.stringify(keyId)} was created ${latest.created}`)
  } catch (error) {
    if (!(error instanceof AsherahError) || error.code === 'ERR_ASHERAH_ABORTED') throw error
    return finding('fail', 'latest', error.message)
  }
}
