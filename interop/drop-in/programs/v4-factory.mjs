// As the documentation of 4.x writes it: factories and sessions, hooks, the environment.
import assert from 'node:assert'
import { SessionFactory, setenv, setLogHook, setMetricsHook } from 'asherah'

const events = []
setLogHook(({ level, message, target }) => events.push(`${level} ${target} ${message}`))
const metrics = []
setMetricsHook((event) => metrics.push(event))

const config = { serviceName: 'svc', productId: 'prod', metastore: 'memory', kms: 'test-debug-static' }
const factory = new SessionFactory(config)
const a = factory.getSession('a')
const b = factory.getSession('b')
const record = a.encrypt(Buffer.from('for a'))
assert.strictEqual(a.decrypt(record).toString(), 'for a')
assert.throws(() => b.decrypt(record))
assert.strictEqual(b.decryptString(b.encryptString('for b')), 'for b')
assert.throws(() => factory.getSession(''))
a.close()
a.close()
assert.throws(() => a.encryptString('x'), /closed/)
factory.close()
assert.throws(() => factory.getSession('a'), /closed/)

// The lines of 4.x's binding.
setenv('SERVICE_NAME=svc\nPRODUCT_ID=prod\nMetastore=memory\nKMS=test-debug-static')
const fromEnv = SessionFactory.fromEnv()
const session = fromEnv.getSession('p')
assert.strictEqual(await session.decryptStringAsync(session.encryptString('x')), 'x')
fromEnv.close()

const warned = () => events.some((line) => line.startsWith('warn asherah INSECURE_TEST_KMS'))
for (let i = 0; i < 100 && !warned(); i++) await new Promise((resolve) => setTimeout(resolve, 50))
assert.ok(warned(), events.join('\n'))
assert.ok(metrics.some(({ type, durationNs }) => type === 'encrypt' && durationNs > 0))
assert.ok(metrics.some(({ type, durationNs }) => type === 'store' && durationNs > 0))
assert.ok(metrics.some(({ type, name }) => type === 'cache_miss' && typeof name === 'string'))
setLogHook(null)
setMetricsHook(null)
console.log('ok')
