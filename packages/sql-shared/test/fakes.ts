import type { EnvelopeKeyRecord } from '@asherah/core/backend'
import type {
  Connector,
  Inspection,
  PoolLimits,
  SqlDialect,
  SqlMetastoreSettings,
  StoredRow,
} from '@asherah/sql-shared'

export const CREATED = 1_795_251_360

export const LIMITS: PoolLimits = {
  maxConnections: 3,
  minIdleConnections: 0,
  idleTimeoutMs: 60_000,
  maxLifetimeMs: 1_800_000,
  acquireTimeoutMs: 1_000,
  connectTimeoutMs: 1_000,
  healthCheckAfterMs: 30_000,
}

export const SETTINGS: SqlMetastoreSettings = {
  queryTimeoutMs: 1_000,
  retryTimeoutMs: 1_000,
  maxKeyId: { unit: 'codePoints', length: 255 },
  regionSuffix: undefined,
  readsMayLag: false,
}

export function keyOf(keyId: string, fill = 7): EnvelopeKeyRecord {
  return { keyId, created: CREATED, encryptedKey: new Uint8Array(60).fill(fill), revoked: false }
}

export interface FakeConnection {
  readonly number: number
  open: boolean
  answers: boolean
}

/** Connections that only count. */
export function fakeConnector(): Connector<FakeConnection> & {
  readonly opened: FakeConnection[]
  failOpen: Error | undefined
  readonly closed: Set<FakeConnection>
  /** Closed without a goodbye. */
  readonly broken: Set<FakeConnection>
} {
  const opened: FakeConnection[] = []
  const closed = new Set<FakeConnection>()
  const broken = new Set<FakeConnection>()
  return {
    opened,
    closed,
    broken,
    failOpen: undefined,
    async open() {
      if (this.failOpen !== undefined) throw this.failOpen
      const connection = { number: opened.length + 1, open: true, answers: true }
      opened.push(connection)
      return connection
    },
    close(connection, isBroken) {
      if (isBroken) broken.add(connection)
      if (closed.has(connection)) throw new Error('closed twice')
      connection.open = false
      closed.add(connection)
    },
    isOpen: (connection) => connection.open,
    ping: async (connection) => {
      if (!connection.answers) throw new Error('no answer')
    },
  }
}

/** An error as a driver throws it. */
export function driverError(code: string, message = 'the server said no'): Error {
  return Object.assign(new Error(message), { code })
}

export const INSPECTION: Inspection = {
  table: 'encryption_key',
  columns: [
    { name: 'ID', type: 'varchar', required: true },
    { name: 'created', type: 'timestamp', required: true },
    { name: 'key_record', type: 'text', required: true },
  ],
  types: { id: /char/, created: /time/, key_record: /text/ },
  indexes: [{ columns: ['id', 'created'], unique: true, collation: 'C', exact: true }],
  queries: { columns: 'SHOW COLUMNS', indexes: 'SHOW INDEX' },
  findings: [],
}

/** A table in memory; `before` runs ahead of each statement, and throws what the server says. */
export function fakeDialect(rows: StoredRow[] = []): SqlDialect<FakeConnection> & {
  readonly rows: StoredRow[]
  before: (method: string, connection: FakeConnection) => void | Promise<void>
  inspection: Inspection
} {
  const find = (keyId: string, created: number): StoredRow | undefined =>
    rows.find((row) => row.id === keyId && row.seconds === created)
  return {
    name: 'Fake',
    rows,
    inspection: INSPECTION,
    before: () => {},
    async load(c, keyId, created) {
      await this.before('load', c)
      return find(keyId, created)
    },
    async loadLatest(c, keyId, notAfter = Number.POSITIVE_INFINITY) {
      await this.before('loadLatest', c)
      return rows
        .filter((row) => row.id === keyId && Number(row.seconds) <= notAfter)
        .toSorted((a, b) => Number(b.seconds) - Number(a.seconds))[0]
    },
    async insert(c, keyId, created, keyRecord) {
      await this.before('insert', c)
      if (find(keyId, created) !== undefined) throw driverError('DUPLICATE')
      rows.push({ id: keyId, seconds: created, keyRecord })
    },
    async replace(c, key, from, to) {
      await this.before('replace', c)
      const at = rows.findIndex((row) => row.id === key.keyId && row.seconds === key.created && row.keyRecord === from)
      if (at < 0) return false
      rows[at] = { id: key.keyId, seconds: key.created, keyRecord: to }
      return true
    },
    async page(c, after) {
      await this.before('page', c)
      return after === undefined ? rows : []
    },
    async inspect(c) {
      await this.before('inspect', c)
      return this.inspection
    },
    kindOf: (error) => {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'NO_TABLE') return 'noTable'
      return code === 'DUPLICATE' ? 'duplicate' : code === 'DEADLOCK' ? 'transient' : 'permanent'
    },
    survives: (error) => error instanceof Error && 'code' in error,
  }
}
