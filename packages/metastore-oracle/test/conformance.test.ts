import { randomUUID } from 'node:crypto'
import { createOracleMetastore } from '@asherah/metastore-oracle'
import { describeService, metastoreConformance } from '@asherah/testing'
import { type OracleServer, startOracle } from '@asherah/testing/services'
import oracledb from 'oracledb'

// Against a real database only. Without one, `dialect.test.ts` shows what is sent, and not that a database takes it.
describeService('Oracle Database', await startOracle(), (server) => {
  const tableName = `keys_${randomUUID().replaceAll('-', '')}`
  let table: Promise<void> | undefined
  const create = async () => {
    table ??= execute(
      server,
      `CREATE TABLE ${tableName} (id VARCHAR2(255) NOT NULL, created TIMESTAMP DEFAULT SYS_EXTRACT_UTC(SYSTIMESTAMP) NOT NULL, key_record CLOB NOT NULL, PRIMARY KEY (id, created))`,
    )
    await table
    return createOracleMetastore({ config: { ...server, allowUnencrypted: true }, tableName })
  }
  metastoreConformance({
    name: 'Oracle Database',
    create,
    reopen: create,
    dispose: (metastore) => metastore.close(),
    overwriteBody: (_, { keyId, created }, text) =>
      execute(
        server,
        // An empty text is NULL in Oracle.
        `UPDATE ${tableName} SET key_record = ${text === '' ? 'EMPTY_CLOB()' : ':text'} WHERE id = :id AND created = TIMESTAMP '1970-01-01 00:00:00' + NUMTODSINTERVAL(:created, 'SECOND')`,
        { id: keyId, created, ...(text === '' ? {} : { text }) },
      ),
    offers: ['list', 'markRevoked', 'check', 'close'],
  })
})

async function execute(server: OracleServer, text: string, binds: Record<string, string | number> = {}): Promise<void> {
  const connection = await oracledb.getConnection({ ...server })
  try {
    await connection.execute(text, binds, { autoCommit: true })
  } finally {
    await connection.close()
  }
}
