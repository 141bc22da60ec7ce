import { deepStrictEqual } from 'node:assert'
import { workerData } from 'node:worker_threads'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { createSoakFactory, isSoakPath } from './soak-factory.ts'

/** Run by `runWorkers`: a factory that lives for a few calls. */

const path: unknown = workerData
if (!isSoakPath(path)) throw new Error('the thread was given no path')
const { factory, close } = createSoakFactory(path, createMemoryMetastore())
const plaintext = new Uint8Array(64).fill(1)
for (let i = 0; i < 20; i++) {
  const session = factory.getSession(`p${i}`)
  deepStrictEqual(new Uint8Array(await session.decrypt(await session.encryptToJson(plaintext))), plaintext)
  session.close()
}
await close()
