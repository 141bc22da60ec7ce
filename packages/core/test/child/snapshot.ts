// Built into a startup snapshot: a factory and random rows made before it, and used after it is restored.
import v8 from 'node:v8'
import { createHeapSecrets, createNodeCrypto, openAes256Gcm } from '../../src/backend.ts'
import { adhocPersistence, SessionFactory } from '../../src/index.ts'
import { createRandomPool } from '../../src/internal/random-pool.ts'
import { bytesOf, createFakeKms, createFakeMetastore, textOf } from '../fakes.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const options = { service: 'svc', product: 'prod', metastore: createFakeMetastore(), kms: createFakeKms() }
const factory = new SessionFactory(options)
const crypto = createNodeCrypto({ secrets: createHeapSecrets() })
// Fills a pool, so that rows of it would come back in each process if it were not emptied.
const pool = createRandomPool(true)
let inSnapshot = 0
for (let i = 0; i < 3; i += 1) inSnapshot += pool.take().all.byteLength
// Node keeps random UUIDs in store as well.
const persistence = adhocPersistence<string>(
  async () => undefined,
  async () => {},
)
void persistence.store(undefined, 'x')

async function restored(): Promise<void> {
  const raw = (): Uint8Array => new Uint8Array(32).fill(1)
  const key = crypto.importKey(raw())
  const parts: string[] = []
  for (let i = 0; i < 50; i += 1) {
    const { dataRowKey, dataNonce, keyNonce } = pool.take()
    parts.push(hex(dataRowKey), hex(dataNonce), hex(keyNonce))
    const row = crypto.encryptRow(key, bytesOf('x'))
    parts.push(hex(openAes256Gcm(row.encryptedKey, raw())), hex(row.encryptedKey.slice(-12)), hex(row.data.slice(-12)))
  }
  const session = factory.getSession('p')
  const roundTrip = textOf(await session.decrypt(await session.encryptToJson(bytesOf('x')))) === 'x'
  for (let i = 0; i < 50; i += 1) parts.push(await persistence.store(undefined, 'x'))
  await factory.close()
  console.log(JSON.stringify({ parts, roundTrip, inSnapshot }))
}

v8.startupSnapshot.setDeserializeMainFunction(() => void restored())
