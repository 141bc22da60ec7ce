import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { CREATED, systemKey } from '../records.ts'

// Stores rows until it is killed, or as many as it is told to; prints a line for each that was acknowledged.
const [path = '', writer = '', idPrefix = '', count = '0'] = process.argv.slice(2)
const metastore = createSqliteMetastore({ path, busyTimeoutMs: 30_000 })
const limit = count === '0' ? Number.POSITIVE_INFINITY : Number(count)

writeSync(1, 'ready\n')
for await (const line of createInterface({ input: process.stdin })) if (line === 'go') break

for (let i = 0; i < limit; i++) {
  const row = systemKey(`${idPrefix}${i % 7}`, CREATED + i, writer)
  const stored = await metastore.store(row.keyId, row.created, row)
  // Synchronously: what is printed is what the caller of `store` knew, even if the next instruction is the last.
  writeSync(1, `${JSON.stringify({ keyId: row.keyId, created: row.created, stored })}\n`)
}
await metastore.close()
process.exit(0)
