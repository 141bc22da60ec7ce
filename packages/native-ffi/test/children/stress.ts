// Everything at once, for some seconds: rows of 0 to 2 MiB of all forms, batches, workers that start, end by themselves or are
// terminated, and forced collections. Argument: seconds.
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createNativeCrypto } from '../../src/index.ts'

// Under AddressSanitizer nothing can be locked.
const allowUnlocked = process.env.TEST_ALLOW_UNLOCKED === '1'

const META = { created: 1_795_251_290, parentKeyMeta: { keyId: '_IK_p_s_pr', created: 1_795_251_240 } }
const WIDE = { created: 1_795_251_290, parentKeyMeta: { keyId: '_IK_\u0141_s_pr', created: 1_795_251_240 } }
setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')
if (typeof collect !== 'function') throw new Error('V8 does not collect on request')
const collectNow = (): void => Reflect.apply(collect, undefined, [])

/** Mostly short, up to 2 MiB; the lengths around which the code changes its ways come often. */
function someBytes(): Uint8Array {
  const kind = randomInt(20)
  const length =
    kind < 12
      ? randomInt(5_000)
      : kind < 16
        ? randomInt(65_000, 66_000)
        : kind < 18
          ? randomInt(95_000, 99_000)
          : randomInt(2 * 1_024 * 1_024 + 1)
  return new Uint8Array(randomBytes(length))
}

function expectSame(actual: Uint8Array | undefined, expected: Uint8Array): void {
  if (Buffer.compare(actual ?? new Uint8Array(1), expected) !== 0)
    throw new Error(`${expected.length} bytes came back wrong`)
}

/** One round with a provider and keys of its own, now and then with more work begun than is waited for. */
async function round(): Promise<number> {
  const crypto = createNativeCrypto({ mode: 'required', allowUnlocked })
  const key = crypto.generateKey()
  const kept: string[][] = [] // strings that outlive the round's provider
  let rows = 0
  for (let i = 0; i < 12; i += 1) {
    const plaintext = someBytes()
    const meta = randomInt(8) === 0 ? WIDE : META
    const both = [
      crypto.encryptRowJson?.(key, plaintext, meta) ?? '',
      (await crypto.encryptRowJsonAsync?.(key, plaintext, meta)) ?? '',
    ]
    for (const json of both) {
      const { Key, Data } = JSON.parse(json)
      const [wrapped, data] = [Buffer.from(Key.Key, 'base64'), Buffer.from(Data, 'base64')]
      expectSame(crypto.decryptRow(key, wrapped, data), plaintext)
      expectSame(await crypto.decryptRowAsync?.(key, wrapped, data), plaintext)
      const [keyAt, dataAt] = [json.indexOf(Key.Key), json.lastIndexOf(Data)]
      const spans = Uint32Array.of(keyAt, keyAt + 80, dataAt, dataAt + Data.length)
      expectSame(crypto.decryptRowJson?.(key, json, spans), plaintext)
      if (meta === META) expectSame(crypto.decryptRowJson?.(key, Buffer.from(json), spans), plaintext)
      rows += 1
    }
    if (randomInt(3) === 0) kept.push(both)
  }
  const payloads = Array.from({ length: randomInt(40) }, someBytes).map((bytes) => bytes.subarray(0, 3_000))
  let end = 0
  const ends = Uint32Array.from(
    payloads.map(({ length }) => {
      end += length
      return end
    }),
  )
  const packed = new Uint8Array(Buffer.concat(payloads))
  const sealed = crypto.encryptRowsPacked?.(key, packed, ends, META)
  const opened = sealed && crypto.decryptRowsPacked?.(key, sealed.packed, sealed.ends)
  expectSame(opened?.packed, packed)
  // Begun and not waited for: the close comes first.
  const late = [
    crypto.encryptRowJsonAsync?.(key, someBytes(), META),
    crypto.encryptRowJsonAsync?.(key, someBytes(), META),
  ]
  if (randomInt(2) === 0) crypto.close()
  if (randomInt(4) === 0) collectNow()
  await Promise.allSettled(late)
  return rows + payloads.length
}

if (isMainThread) {
  const until = performance.now() + Number(process.argv[2] ?? 5) * 1_000
  const counts = { rows: 0, ended: 0, terminated: 0 }
  const workerLoop = async (): Promise<void> => {
    while (performance.now() < until) {
      const worker = new Worker(new URL(import.meta.url), { workerData: { rounds: randomInt(1, 8) } })
      worker.on('message', (rows: number) => {
        counts.rows += rows
      })
      const exit = once(worker, 'exit')
      const killer = randomInt(3) === 0 ? setTimeout(() => void worker.terminate(), randomInt(60, 600)) : undefined
      const [code] = await exit
      clearTimeout(killer)
      if (code === 0) counts.ended += 1
      else counts.terminated += 1
    }
  }
  const mainLoop = async (): Promise<void> => {
    while (performance.now() < until) counts.rows += await round()
  }
  await Promise.all([mainLoop(), workerLoop(), workerLoop(), workerLoop()])
  console.log(JSON.stringify({ ...counts, megabytes: Math.round(process.memoryUsage().rss / 1e6) }))
} else {
  for (let i = 0; i < Number(workerData.rounds); i += 1) parentPort?.postMessage(await round())
}
