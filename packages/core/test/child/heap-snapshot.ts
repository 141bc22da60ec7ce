// A child process: looks for keys that are known in a snapshot of its own heap, in the forms that a string can have.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import v8 from 'node:v8'
import { openAes256Gcm } from '../../src/backend.ts'
import { SessionFactory } from '../../src/index.ts'
import { bytesOf, createFakeKms, createFakeMetastore, parentOf } from '../fakes.ts'

/** Written beside the program, in the test's own folder. */
function snapshot(): string {
  return readFileSync(v8.writeHeapSnapshot(join(__dirname, 'heap.json')), 'utf8')
}

async function main(): Promise<void> {
  const masterOf = (): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => 33 + i)
  const metastore = createFakeMetastore()
  const options = { service: 's', product: 'p', metastore, kms: createFakeKms(masterOf()) }
  const factory = new SessionFactory(options)
  const session = factory.getSession('p')
  const record = await session.encrypt(bytesOf('x'))
  const text = await session.encryptToJson(bytesOf('x'))
  await session.decrypt(record)
  await session.decrypt(text)
  // From bytes, so that it is one flat string, as a key's text would be.
  const planted = Buffer.from(`planted ${[1, 2, 3].join('-')}`).toString('latin1')
  const heap = snapshot()

  // Only now are the keys computed.
  const rowOf = (id: string): Uint8Array => metastore.rows.of(id)[0]?.encryptedKey ?? new Uint8Array(0)
  const systemKey = openAes256Gcm(rowOf('_SK_s_p'), masterOf())
  const intermediateKey = openAes256Gcm(rowOf(parentOf(record).keyId), systemKey)
  const dataRowKey = openAes256Gcm(record.key.encryptedKey, intermediateKey)
  const found: string[] = []
  for (const [name, key] of Object.entries({ systemKey, intermediateKey, dataRowKey })) {
    const bytes = Buffer.from(key)
    for (const form of ['hex', 'base64', 'base64url'] as const) {
      // The last character of base64 depends on what follows.
      if (heap.includes(bytes.toString(form).slice(0, 40))) found.push(`${name} as ${form}`)
    }
    if (heap.includes(JSON.stringify(bytes.toString('latin1')).slice(1, -1))) found.push(`${name} as latin1`)
    if (heap.includes([...key.slice(0, 8)].join(','))) found.push(`${name} as numbers`)
  }
  console.log(JSON.stringify({ found, seesPlanted: heap.includes(planted), megabytes: Math.round(heap.length / 1e6) }))
}

void main()
