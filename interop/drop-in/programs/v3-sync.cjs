// As the documentation of 3.x writes it: require, PascalCase, null for what is not wanted, snake_case, synchronous.
const assert = require('node:assert')
const asherah = require('asherah')

const config = {
  KMS: 'test-debug-static',
  Metastore: 'test-debug-memory',
  ServiceName: 'TestService',
  ProductID: 'TestProduct',
  Verbose: true,
  EnableSessionCaching: true,
  ExpireAfter: null,
  CheckInterval: null,
  ConnectionString: null,
  ReplicaReadConsistency: null,
  DynamoDBEndpoint: null,
  DynamoDBRegion: null,
  DynamoDBTableName: null,
  SessionCacheMaxSize: null,
  SessionCacheDuration: null,
  RegionMap: null,
  PreferredRegion: null,
  EnableRegionSuffix: null,
  DisableZeroCopy: true,
  NullDataCheck: true,
}

asherah.set_max_stack_alloc_item_size(2048)
asherah.set_safety_padding_overhead(256)
asherah.setenv(JSON.stringify({ DROP_IN_TEST: 'yes' }))
assert.strictEqual(process.env.DROP_IN_TEST, 'yes')
assert.strictEqual(asherah.get_setup_status(), false)
asherah.setup(config)
assert.strictEqual(asherah.get_setup_status(), true)
assert.throws(() => asherah.setup(config))

const input = 'mysecretdata'
const encrypted = asherah.encrypt('partition', Buffer.from(input, 'utf8'))
assert.ok(encrypted.includes('"Key"'))
assert.strictEqual(asherah.decrypt('partition', encrypted).toString('utf8'), input)
assert.strictEqual(asherah.decrypt_string('partition', asherah.encrypt_string('partition', input)), input)
assert.throws(() => asherah.decrypt('another', encrypted))

asherah.shutdown()
asherah.setup(config)
asherah.shutdown()
assert.strictEqual(asherah.get_setup_status(), false)
console.log('ok')
