// With --expose-gc: drops secrets and factories without closing them, and prints what became of their memory.
import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { channels, type Secret } from '@asherah/core/backend'
import { createEnclaveMemory, createProtectedMemory, purge, secureMemoryStats } from '@asherah/secure-memory'
import { lockedByProcess } from '../../src/internal/system.ts'

const collect: unknown = Reflect.get(globalThis, 'gc')
const warnings: string[] = []
subscribe(channels.warning.name, (event) => {
  if (typeof event === 'object' && event !== null && 'code' in event) warnings.push(String(event.code))
})

async function collectUntil(done: () => boolean, turns = 60): Promise<void> {
  if (typeof collect !== 'function') throw new Error('run with --expose-gc')
  for (let turn = 0; turn < turns && !done(); turn++) {
    collect()
    await sleep(5)
  }
}

/** A function of its own, so that nothing of it is held when it has ended. */
async function dropAll(create: typeof createProtectedMemory | typeof createEnclaveMemory): Promise<unknown> {
  const dropSecrets = (factory: ReturnType<typeof create>): void => {
    for (let i = 0; i < 10; i++) factory.createRandom(32)
    factory.createRandom(32).close() // is no warning
  }
  const keepSecret = (): Secret => create().createRandom(32)
  warnings.length = 0
  const factory = create()
  dropSecrets(factory)
  await collectUntil(() => factory.stats().inUse === 0)
  const secrets = { inUse: factory.stats().inUse, warnings: warnings.length }
  factory.close()

  const dropFactory = (): void => dropSecrets(create())
  dropFactory()
  await collectUntil(() => secureMemoryStats().lockedBytes === 0)
  const dropped = secureMemoryStats()

  const secret = keepSecret() // its factory is dropped
  await collectUntil(() => false, 10)
  const alive = secret.withBytes((bytes) => bytes.byteLength)
  const purged = purge()
  return { secrets, dropped, alive, purged, closed: secret.closed }
}

const report = {
  createProtectedMemory: await dropAll(createProtectedMemory),
  createEnclaveMemory: await dropAll(createEnclaveMemory),
}
await collectUntil(() => lockedByProcess() === 0)
console.log(JSON.stringify({ ...report, lockedBytes: lockedByProcess(), stats: secureMemoryStats() }))
