import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { SessionFactory } from '@asherah/core'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { createFakeClock } from '@asherah/testing/tools'
import { localKms } from '../local-kms.ts'

// For each line, a time in Unix milliseconds: encrypts two payloads for each of three partitions at that time, all at
// once, and prints the records; then `done`.
const [path = '', name = ''] = process.argv.slice(2)
const metastore = createSqliteMetastore({ path, busyTimeoutMs: 30_000 })
const clock = createFakeClock({ now: 0 })
const factory = new SessionFactory({ service: 'service', product: 'product', metastore, kms: localKms(), clock })

async function encrypt(partition: string, i: number): Promise<void> {
  const session = factory.getSession(partition)
  const text = await session.encryptToJson(new TextEncoder().encode(`${name} ${partition} ${i}`))
  session.close()
  writeSync(1, `${JSON.stringify({ partition, text, plaintext: `${name} ${partition} ${i}` })}\n`)
}

writeSync(1, 'ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  clock.set(Number(line))
  await Promise.all(['a', 'b', 'c'].flatMap((partition) => [0, 1].map((i) => encrypt(partition, i))))
  writeSync(1, 'done\n')
}
await factory.close()
await metastore.close()
process.exit(0)
