import {
  AbortedError,
  type Call,
  ClosedError,
  type EnvelopeKeyRecord,
  InvalidInputError,
  type KeyMeta,
  type Metastore,
  parseEnvelopeKeyRecord,
  serializeEnvelopeKeyRecord,
} from '@asherah/core/backend'

/** One row of a {@link LocalStore}. */
export interface LocalRow extends KeyMeta {
  text: string
}

/** What several local metastores can share: rows in the order in which they came. */
export type LocalStore = LocalRow[]

/** Where a test makes the metastore go wrong. Each is a step of a sound one. */
export interface LocalSteps {
  /** The row that a stored id and the one asked for mean. */
  sameId(stored: string, asked: string): boolean
  /** The row as it is written. */
  write(record: EnvelopeKeyRecord): LocalRow
  /** The record of a row. */
  read(row: LocalRow): EnvelopeKeyRecord | null
  /** Below zero: a comes first. For `list`, and for the latest. */
  compare(a: KeyMeta, b: KeyMeta): number
  checkOwn(keyId: string, created: number, record: EnvelopeKeyRecord): void
  checkCall(call: Call | undefined, closed: boolean): void
  within(created: number, notAfter: number): boolean
}

const soundSteps: LocalSteps = {
  sameId: (stored, asked) => stored === asked,
  write: (record) => ({ keyId: record.keyId, created: record.created, text: serializeEnvelopeKeyRecord(record) }),
  read: (row) => parseEnvelopeKeyRecord(row.text, row),
  compare: (a, b) => Buffer.compare(Buffer.from(a.keyId), Buffer.from(b.keyId)) || a.created - b.created,
  checkOwn(keyId, created, record) {
    if (record.keyId !== keyId || record.created !== created) throw new InvalidInputError("not the record's own")
  },
  checkCall(call, closed) {
    if (closed) throw new ClosedError('closed')
    if (call?.signal?.aborted === true) throw new AbortedError('aborted', { cause: call.signal.reason })
  },
  within: (created, notAfter) => created <= notAfter,
}

/** A metastore over an array, sound unless a step is replaced: the kits are proven on it. */
export function localMetastore(
  rows: LocalStore,
  replaced: Partial<LocalSteps> = {},
): Required<Omit<Metastore, 'regionSuffix' | 'maxKeyId'>> {
  const steps: LocalSteps = { ...soundSteps, ...replaced }
  let closed = false
  const find = (keyId: string, created: number): LocalRow | undefined =>
    rows.find((row) => steps.sameId(row.keyId, keyId) && row.created === created)
  return {
    async load(keyId, created, call) {
      steps.checkCall(call, closed)
      const row = find(keyId, created)
      return row === undefined ? null : steps.read(row)
    },
    async loadLatest(keyId, call) {
      steps.checkCall(call, closed)
      const notAfter = call?.notAfter ?? Number.POSITIVE_INFINITY
      const row = rows
        .filter((r) => steps.sameId(r.keyId, keyId) && steps.within(r.created, notAfter))
        .toSorted((a, b) => steps.compare({ ...a, keyId: '' }, { ...b, keyId: '' }))
        .at(-1)
      return row === undefined ? null : steps.read(row)
    },
    async store(keyId, created, record, call) {
      steps.checkCall(call, closed)
      steps.checkOwn(keyId, created, record)
      const row = steps.write(record)
      if (find(row.keyId, row.created) !== undefined) return false
      rows.push(row)
      return true
    },
    async *list(call) {
      steps.checkCall(call, closed)
      for (const row of rows.toSorted(steps.compare)) {
        if (call?.after !== undefined && steps.compare(row, call.after) <= 0) continue
        steps.checkCall(call, closed)
        const record = steps.read(row)
        if (record !== null) yield record
      }
    },
    async markRevoked(keyId, created, call) {
      steps.checkCall(call, closed)
      const row = find(keyId, created)
      if (row === undefined) return false
      row.text = serializeEnvelopeKeyRecord({ ...parseEnvelopeKeyRecord(row.text, row), revoked: true })
      return true
    },
    async check(call) {
      steps.checkCall(call, closed)
      return { ok: true, findings: [{ level: 'pass', check: 'table', message: `${rows.length} rows` }] }
    },
    async close() {
      closed = true
    },
  }
}
