// Writes thousands of long rows, synchronously, then with no more than microtasks between them.
import { createNativeCrypto } from '../../src/index.ts'

const META = { created: 1_795_251_290, parentKeyMeta: { keyId: '_IK_p_s_pr', created: 1_795_251_240 } }
const crypto = createNativeCrypto({ mode: 'required' })
const key = crypto.generateKey()
const plaintext = new Uint8Array(300_000)
let rows = 0
for (let i = 0; i < 6_000; i += 1) {
  if (i >= 3_000) await undefined
  rows += (crypto.encryptRowJson?.(key, plaintext, META).length ?? 0) > 400_000 ? 1 : 0
}
console.log(JSON.stringify({ rows, megabytes: process.memoryUsage().rss / 1_000_000 }))
