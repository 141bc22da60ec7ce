// A child process with --expose-gc: drops sessions without closing them, and prints what became of their keys.
import { subscribe } from 'node:diagnostics_channel'
import { channels, type WarningEvent } from '../../src/index.ts'
import { bytesOf, createWorld } from '../fakes.ts'

const collect: unknown = Reflect.get(globalThis, 'gc')

const warnings: WarningEvent['code'][] = []
subscribe(channels.warning.name, (message) => {
  if (typeof message === 'object' && message !== null && 'code' in message) warnings.push(String(message.code))
})

async function main(): Promise<void> {
  if (typeof collect !== 'function') throw new Error('run with --expose-gc')
  const report: Record<string, unknown> = {}
  for (const [name, policy] of [
    ['unshared', {}],
    ['cached', { cacheSessions: true, sessionCacheMaxSize: 1 }],
  ] as const) {
    const world = createWorld(policy)
    warnings.length = 0
    const dropAll = async (): Promise<void> => {
      for (const id of ['p', 'q', 'r']) {
        await world.factory.getSession(id).encrypt(bytesOf('x'))
        await world.factory.getSessionJson(id).encrypt('x')
      }
      const closed = world.factory.getSession('s')
      await closed.encrypt(bytesOf('x'))
      closed.close()
    }
    await dropAll()
    const before = world.crypto.open
    for (let turn = 0; turn < 50 && warnings.length < 6; turn += 1) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    report[name] = { before, after: world.crypto.open, warnings: [...warnings] }
    await world.factory.close()
  }
  console.log(JSON.stringify(report))
}

void main()
