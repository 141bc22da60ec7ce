import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { metastoreConformance } from '@asherah/testing'
import { temporaryFolder } from './temporary-folder.ts'

const path = join(temporaryFolder(), 'keys.db')

metastoreConformance({
  name: 'sqlite',
  create: () => createSqliteMetastore({ path }),
  reopen: () => createSqliteMetastore({ path }),
  dispose: (metastore) => metastore.close(),
  overwriteBody(_, { keyId, created }, text) {
    const database = new DatabaseSync(path)
    database
      .prepare("UPDATE encryption_key SET key_record = ? WHERE id = ? AND created = datetime(?, 'unixepoch')")
      .run(text, keyId, created)
    database.close()
  },
  offers: ['list', 'markRevoked', 'check', 'close'],
})
