// Eight workers encrypt and decrypt at once; one is terminated while it works.
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createNativeCrypto, nativeStatus } from '../../src/index.ts'

const META = { created: 1_795_251_290, parentKeyMeta: { keyId: '_IK_p_s_pr', created: 1_795_251_240 } }

/** Rows of all forms and sizes; how many. */
async function work(count: number): Promise<number> {
  const crypto = createNativeCrypto({ mode: 'required' })
  const key = crypto.generateKey()
  for (let i = 0; i < count; i += 1) {
    const plaintext = new Uint8Array(i % 10 === 0 ? 200_000 : i * 3).fill(i)
    const json = (await crypto.encryptRowJsonAsync?.(key, plaintext, META)) ?? ''
    const { Key, Data } = JSON.parse(json)
    const opened = await crypto.decryptRowAsync?.(key, Buffer.from(Key.Key, 'base64'), Buffer.from(Data, 'base64'))
    if (!Buffer.from(opened ?? []).equals(plaintext)) throw new Error(`row ${i} is wrong`)
  }
  crypto.close()
  return count
}

if (isMainThread) {
  const crypto = createNativeCrypto({ mode: 'required' })
  const key = crypto.generateKey()
  const row = crypto.encryptRow(key, Buffer.from('main'))
  const { lockedBytes } = nativeStatus().memory ?? {}
  let rows = 0
  let finished = 0
  let terminated = 0
  let foreignRefused = 0
  const workers = Array.from({ length: 8 }, (_, i) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { endless: i === 0 } })
    worker.on('message', (message: { readonly rows: number; readonly foreign: boolean } | 'working') => {
      if (message === 'working') {
        setTimeout(() => void worker.terminate(), 300)
        return
      }
      rows += message.rows
      foreignRefused += message.foreign ? 1 : 0
    })
    return once(worker, 'exit')
  })
  for (const [i, exit] of workers.entries()) {
    const [code] = await exit
    if (i === 0) terminated += code === 1 ? 1 : 0
    else finished += code === 0 ? 1 : 0
  }
  const opened = crypto.decryptRow(key, row.encryptedKey, row.data)
  const memory = nativeStatus().memory
  const result = {
    finished,
    rows,
    terminated,
    foreignRefused,
    mainRows: Buffer.from(opened).toString() === 'main',
    providersOfMain: memory?.providers,
    lockedAsBefore: memory?.lockedBytes === lockedBytes,
  }
  console.log(JSON.stringify(result))
} else if (workerData.endless === true) {
  await work(1)
  parentPort?.postMessage('working')
  // With work of other threads under way at any moment.
  for (;;) await Promise.all([work(50), work(50), work(50)])
} else {
  const one = createNativeCrypto({ mode: 'required' })
  const two = createNativeCrypto({ mode: 'required' })
  let foreign = false
  try {
    one.encryptRow(two.generateKey(), new Uint8Array(1))
  } catch {
    foreign = true
  }
  parentPort?.postMessage({ rows: await work(400), foreign })
  // Both are left open: the environment's end wipes their keys.
}
