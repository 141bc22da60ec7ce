import { randomBytes } from 'node:crypto'
import { createPostgresMetastore } from '@asherah/metastore-postgres'

const [url = '', keyId = '', created = '', stores = ''] = process.argv.slice(2)
const metastore = createPostgresMetastore({ connectionString: url })
const results = await Promise.all(
  Array.from({ length: Number(stores) }, () => {
    const record = { keyId, created: Number(created), encryptedKey: randomBytes(60), revoked: false }
    return metastore.store(keyId, record.created, record)
  }),
)
await metastore.close()
console.log(results.filter((stored) => stored).length)
