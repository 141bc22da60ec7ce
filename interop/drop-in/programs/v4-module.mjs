// As the documentation of 4.x writes it: import of the default, camelCase, buffers as records, null for what is not wanted.
import assert from 'node:assert'
import asherah, { decryptString, encryptString } from 'asherah'

const config = {
  serviceName: 'svc',
  productId: 'prod',
  metastore: 'memory',
  kms: 'static',
  staticMasterKeyHex: '1f8e3ac47b902d5566c4f0a9e1b37d8812fe6a4b9c03d7e5a8416b2d90cf7e35',
  enableSessionCaching: false,
  expireAfter: null,
  dynamoDbSigningRegion: null,
  sqlMetastoreDbType: null,
}

for (const round of [1, 2]) {
  asherah.setup(config)
  const record = asherah.encrypt('p1', Buffer.from(`hello ${round}`))
  const plaintext = asherah.decrypt('p1', Buffer.from(record))
  assert.ok(Buffer.isBuffer(plaintext))
  assert.strictEqual(plaintext.toString(), `hello ${round}`)
  asherah.clearPlaintext(plaintext)
  assert.strictEqual(decryptString('p1', encryptString('p1', '')), '')
  const large = Buffer.alloc(1024 * 1024, 7)
  assert.ok(asherah.decrypt('p1', asherah.encrypt('p1', large)).equals(large))
  asherah.shutdown()
}

await asherah.setupAsync({ ...config, metastore: 'MEMORY', kms: 'Static' })
assert.strictEqual(asherah.getSetupStatus(), true)
const records = await Promise.all(Array.from({ length: 20 }, (_, i) => asherah.encryptStringAsync(`p${i}`, String(i))))
for (const [i, record] of records.entries()) assert.strictEqual(asherah.decryptString(`p${i}`, record), String(i))
await asherah.shutdownAsync()
console.log('ok')
