// Makes random keys and uses each; shows them wrapped under a known key; waits; closes the provider; waits. Argument: that key.
import { createInterface } from 'node:readline'
import { createNativeCrypto, nativeStatus } from '../../src/index.ts'

const crypto = createNativeCrypto({ mode: 'required' })
const known = crypto.importKey(Buffer.from(process.argv[2] ?? '', 'hex'))
const keys = Array.from({ length: 700 }, () => crypto.generateKey())
const wrapped = keys.map((key) => Buffer.from(crypto.wrapKey(key, known)).toString('base64'))
for (const key of keys) {
  const { encryptedKey, data } = crypto.encryptRow(key, Buffer.from('payload'))
  crypto.decryptRow(key, encryptedKey, data)
  crypto.unwrapKey(crypto.wrapKey(key, key), key).close()
}
console.log(JSON.stringify({ wrapped, encryptedKeys: nativeStatus().memory?.encryptedKeys }))
console.log(process.pid)
for await (const command of createInterface({ input: process.stdin })) {
  if (command === 'end') break
  crypto.close()
  console.log('closed')
}
process.stdin.destroy()
