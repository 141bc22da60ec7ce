// Does hostile things, which come as JSON on standard input, and prints how each ended, one line a case. The process must
// end by itself, with exit code 0.
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import asherah from 'asherah'

const { configs = [], texts = [], rows = [], folder = '' } = JSON.parse(readFileSync(0, 'utf8'))

/** Makes every call, sync and async; each must end in a typed error. */
async function tell(calls) {
  const codes = []
  for (const call of calls) {
    try {
      await call()
      codes.push('no error')
    } catch (error) {
      codes.push(error?.code ?? `untyped: ${error}`)
    }
  }
  console.log(codes.join(' '))
}

for (const config of configs) {
  await tell([
    () => asherah.setup(config),
    () => asherah.setupAsync(config),
    () => new asherah.SessionFactory(config).getSession('p').encryptAsync('x'),
    () => new asherah.SessionFactory(config).getSession('p').encrypt('x'),
  ])
}

for (const text of texts) await tell([() => asherah.setup(text), () => asherah.setupAsync(text)])

// A key's row whose text is hostile; then every call that reads it.
const key = '1f8e3ac47b902d5566c4f0a9e1b37d8812fe6a4b9c03d7e5a8416b2d90cf7e35'
for (const [index, { id, text }] of rows.entries()) {
  const path = `${folder}/${index}.db`
  const config = {
    serviceName: 's',
    productId: 'p',
    metastore: 'sqlite',
    connectionString: path,
    kms: 'static',
    staticMasterKeyHex: key,
  }
  await asherah.setupAsync(config)
  const record = await asherah.encryptAsync('p', 'x')
  await asherah.shutdownAsync()
  const database = new DatabaseSync(path)
  database.prepare('UPDATE encryption_key SET key_record = ? WHERE id GLOB ?').run(text, id)
  database.close()
  await asherah.setupAsync(config)
  await tell([
    () => asherah.decrypt('p', record),
    () => asherah.decryptAsync('p', record),
    () => asherah.encrypt('p', 'x'),
    () => asherah.encryptAsync('p', 'x'),
  ])
  await asherah.shutdownAsync()
}
