// Makes many keys, uses some, and says what it cost. Arguments: how many; options of createNativeCrypto as JSON; `second`.
import { subscribe } from 'node:diagnostics_channel'
import { AsherahError, type CryptoProvider, type KeyHandle } from '@asherah/core/backend'
import { createNativeCrypto, type NativeCryptoOptions, nativeStatus } from '../../src/index.ts'

const count = Number(process.argv[2])
const options: NativeCryptoOptions = { mode: 'required', ...JSON.parse(process.argv[3] ?? '{}') }
const warnings: unknown[] = []
subscribe('asherah:warning', (message) => warnings.push(Reflect.get(Object(message), 'code')))

const handles: KeyHandle[] = []
let failure: { readonly code?: string; readonly message?: string } = {}
let crypto: CryptoProvider | undefined
try {
  crypto = createNativeCrypto(options)
  while (handles.length < count) handles.push(crypto.generateKey())
} catch (error) {
  if (!(error instanceof AsherahError)) throw error
  failure = { code: error.code, message: error.message }
}

/** Keys from both ends wrap each other and encrypt rows. */
function areRight(provider: CryptoProvider): boolean {
  const sample = [...handles.slice(0, 600), ...handles.slice(-600)]
  const rows = sample.map((key, i) => provider.encryptRow(key, Buffer.from(`payload ${i}`)))
  return sample.every((key, i) => {
    const { encryptedKey = new Uint8Array(0), data = new Uint8Array(0) } = rows[i] ?? {}
    const parent = sample[sample.length - 1 - i] ?? key
    if (provider.wrapKey(key, parent).byteLength !== 60) return false
    return Buffer.from(provider.decryptRow(key, encryptedKey, data)).toString() === `payload ${i}`
  })
}

const right = crypto !== undefined && areRight(crypto)
const memory = nativeStatus().memory
let second = 'none'
if (process.argv[4] === 'second') {
  const other = createNativeCrypto(options)
  second = other.generateKey().closed ? 'closed' : 'works'
  other.close()
}
crypto?.close()
const afterClose = nativeStatus().memory?.lockedBytes
console.log(JSON.stringify({ ...memory, ...failure, keys: handles.length, right, second, warnings, afterClose }))
