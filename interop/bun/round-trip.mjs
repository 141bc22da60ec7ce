// Core with the static KMS and the memory metastore, as a program that runs under Bun writes it.
import assert from 'node:assert/strict'
import { SessionFactory } from '@asherah/core'
import { createStaticKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'

const kms = createStaticKms({ masterKey: 'bun-round-trip-master-key-32-by!' })
const metastore = createMemoryMetastore()
let now = Date.UTC(2026, 0, 1)
const clock = { now: () => now, monotonicMs: () => now }
const options = { service: 'billing', product: 'shop', metastore, kms, clock }
const factory = new SessionFactory(options)

const payloads = [new Uint8Array(), Buffer.from('4111 1111'), Buffer.alloc(300_000, 'ä')]
const written = []
for (const partition of ['tenant-1', 'tenant-2']) {
  const session = factory.getSession(partition)
  for (const payload of payloads)
    written.push({ partition, payload, text: JSON.stringify(await session.encrypt(payload)) })
  session.close()
}

now += 91 * 86_400_000 // every key has expired: what was written stays readable, what is written gets new keys
for (const { partition, payload, text } of written) {
  const session = factory.getSession(partition)
  assert.deepEqual(Buffer.from(await session.decrypt(text)), Buffer.from(payload))
  session.close()
}
const session = factory.getSession('tenant-1')
const rotated = await session.encrypt(Buffer.from('after'))
const [before] = written
assert.ok(rotated.key.parentKeyMeta.created > JSON.parse(before.text).Key.ParentKeyMeta.Created)
assert.equal(Buffer.from(await session.decrypt(rotated)).toString(), 'after')
await assert.rejects(session.decrypt(written.at(-1).text), { code: 'ERR_ASHERAH_WRONG_PARTITION' })
const altered = JSON.parse(before.text)
altered.Data = Buffer.alloc(28).toString('base64')
await assert.rejects(session.decrypt(altered), { code: 'ERR_ASHERAH_DECRYPTION_FAILED' })
session.close()
await factory.close()
kms.close()
assert.ok(process.versions.bun)
console.log('ok')
