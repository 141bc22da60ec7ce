// Worker threads with secrets of their own, ended in different ways, beside a main thread with secrets; then a forked child.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createEnclaveMemory, createProtectedMemory, secureMemoryStats } from '@asherah/secure-memory'
import { lockedByProcess } from '../../src/internal/system.ts'

function makeSecrets(seed: number): () => boolean {
  const secrets = [createEnclaveMemory(), createProtectedMemory()].flatMap((factory) =>
    Array.from({ length: 20 }, () => factory.fromBytes(new Uint8Array(32).fill(seed))),
  )
  return () => secrets.every((secret) => secret.withBytes((bytes) => bytes.every((byte) => byte === seed)))
}

async function inWorker(): Promise<void> {
  const allRight = makeSecrets(Number(workerData.seed))
  for (let i = 0; i < 20; i++) {
    if (!allRight()) throw new Error('a secret of the worker is wrong')
    await sleep(1)
  }
  parentPort?.postMessage('ready')
  if (workerData.end === 'terminated in an action') {
    createProtectedMemory()
      .createRandom(32)
      .withBytes(() => {
        parentPort?.postMessage('inside')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      })
  }
  if (workerData.end === 'exits') process.exit(0)
}

async function inMain(): Promise<void> {
  const allRight = makeSecrets(200)
  const before = lockedByProcess()
  const ends = ['ends', 'exits', 'terminated in an action', 'ends', 'terminated in an action', 'exits']
  const workers = ends.map(
    (end, seed) =>
      new Worker(fileURLToPath(import.meta.url), {
        workerData: { end, seed },
        execArgv: ['--conditions=asherah-source'],
      }),
  )
  const failures: unknown[] = []
  await Promise.all(
    workers.map(async (worker) => {
      worker.on('error', (error) => failures.push(error.message))
      worker.on('message', (message) => {
        if (message === 'inside') void worker.terminate()
      })
      await once(worker, 'exit')
    }),
  )
  const child = fork(fileURLToPath(import.meta.url), ['forked'], { execArgv: ['--conditions=asherah-source'] })
  const [forked] = await once(child, 'message')
  await once(child, 'exit')
  const report = {
    failures,
    allRight: allRight(),
    before,
    after: lockedByProcess(),
    forked,
    inUse: secureMemoryStats().inUse,
  }
  console.log(JSON.stringify(report))
}

if (!isMainThread) await inWorker()
else if (process.argv[2] === 'forked') process.send?.({ inUse: secureMemoryStats().inUse, works: makeSecrets(3)() })
else await inMain()
if (process.connected) process.disconnect()
