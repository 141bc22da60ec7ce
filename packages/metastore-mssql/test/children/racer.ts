import { randomBytes } from 'node:crypto'
import { createMssqlMetastore } from '@asherah/metastore-mssql'

const [options = '', keyId = '', created = '', stores = ''] = process.argv.slice(2)
const metastore = createMssqlMetastore(JSON.parse(options))
await metastore.loadLatest(keyId)
console.log('ready')
process.stdin.once('data', async () => {
  const results = await Promise.all(
    Array.from({ length: Number(stores) }, () => {
      const record = { keyId, created: Number(created), encryptedKey: randomBytes(60), revoked: false }
      return metastore.store(keyId, record.created, record)
    }),
  )
  await metastore.close()
  console.log(
    `true: ${results.filter((stored) => stored).length}, false: ${results.filter((stored) => !stored).length}`,
  )
  process.exit()
})
