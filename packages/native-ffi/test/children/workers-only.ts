// Workers load the native code, which the main thread never does, and end with long strings of it alive.
import { once } from 'node:events'
import { isMainThread, Worker } from 'node:worker_threads'
import { createNativeCrypto } from '../../src/index.ts'
import { isNativeLoaded } from '../support/loaded.ts'

const META = { created: 1_795_251_290, parentKeyMeta: { keyId: '_IK_p_s_pr', created: 1_795_251_240 } }

if (isMainThread) {
  let ended = 0
  for (let i = 0; i < 5; i += 1) {
    const worker = new Worker(new URL(import.meta.url))
    const [code] = await once(worker, 'exit')
    if (code === 0) ended += 1
  }
  if (!isNativeLoaded()) throw new Error('the library was unloaded')
  console.log(JSON.stringify({ ended }))
} else {
  const crypto = createNativeCrypto({ mode: 'required' })
  const key = crypto.generateKey()
  const kept: unknown[] = []
  for (let i = 0; i < 20; i += 1) {
    kept.push(crypto.encryptRowJson?.(key, new Uint8Array(300_000), META))
    kept.push(await crypto.encryptRowJsonAsync?.(key, new Uint8Array(300_000), META))
  }
  Reflect.set(globalThis, 'kept', kept)
}
