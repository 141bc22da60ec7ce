// As the documentation of 3.x writes it, asynchronous, with a log hook.
const assert = require('node:assert')
const {
  setup_async,
  encrypt_async,
  decrypt_async,
  encrypt_string_async,
  decrypt_string_async,
  shutdown_async,
  set_log_hook,
} = require('asherah')

async function main() {
  const levels = new Set()
  set_log_hook((level, message) => {
    assert.strictEqual(typeof message, 'string')
    levels.add(level)
  })
  await setup_async({
    KMS: 'test-debug-static',
    Metastore: 'test-debug-memory',
    ServiceName: 'TestService',
    ProductID: 'TestProduct',
    Verbose: true,
  })
  const encrypted = await encrypt_async('partition', Buffer.from('mysecretdata'))
  assert.strictEqual((await decrypt_async('partition', encrypted)).toString(), 'mysecretdata')
  const text = await encrypt_string_async('partition', '你好 🦀')
  assert.strictEqual(await decrypt_string_async('partition', text), '你好 🦀')
  await assert.rejects(() => decrypt_async('partition', 'not a record'))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepStrictEqual(
    [...levels].filter((level) => ![3, 4, 6, 7].includes(level)),
    [],
  )
  assert.ok(levels.has(4) && levels.has(7))
  await shutdown_async()
  console.log('ok')
}

main()
