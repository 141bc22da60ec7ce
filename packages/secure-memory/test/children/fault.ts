// Does what must end the process. Usage: node fault.ts CASE; it prints `before` first, and `survived` if it goes on.
import { closeSync, openSync, writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createEnclaveMemory, createProtectedMemory } from '@asherah/secure-memory'
import { Counters } from '../../src/internal/counters.ts'
import { takeRegion } from '../../src/internal/region-pool.ts'
import { lockedMappings } from '../support/process-memory.ts'

const CANARY_BYTES = 16

function say(text: string): void {
  writeSync(1, `${text}\n`)
}

/** Writes into memory past every protection, as a fault in native code or hardware would. */
function damage(address: number, bytes: Uint8Array): void {
  const mem = openSync('/proc/self/mem', 'r+')
  writeSync(mem, bytes, 0, bytes.byteLength, address)
  closeSync(mem)
}

const cases: Readonly<Record<string, () => Promise<void> | void>> = {
  'read an idle page'() {
    const region = takeRegion(32, { kind: 'protected', counters: new Counters(), allowUnlocked: false })
    const view = region.window(32)
    view.fill(1)
    say(`readable ${view[0]}`)
    region.noAccess()
    say('before')
    say(`survived ${view[0]}`)
  },
  'write in an action of protected memory'() {
    const secret = createProtectedMemory().createRandom(32)
    say('before')
    secret.withBytes((bytes) => bytes.fill(0))
  },
  'write in an action of enclave memory'() {
    const secret = createEnclaveMemory().createRandom(32)
    say('before')
    secret.withBytes((bytes) => bytes.fill(0))
  },
  'write in a nested action of protected memory'() {
    const secret = createProtectedMemory().createRandom(32)
    say('before')
    secret.withBytes(() => secret.withBytes((bytes) => bytes.fill(0)))
  },
  async 'a damaged canary'() {
    const factory = createProtectedMemory()
    const secret = factory.createRandom(32)
    const [mapping] = lockedMappings('self')
    if (mapping === undefined) throw new Error('there is no locked mapping')
    damage(mapping.start, new Uint8Array(CANARY_BYTES))
    say('before')
    secret.close()
    factory.close()
    await nextTurn()
    await nextTurn()
  },
  async 'an undamaged canary'() {
    const factory = createProtectedMemory()
    const secret = factory.createRandom(32)
    const [mapping] = lockedMappings('self')
    if (mapping === undefined) throw new Error('there is no locked mapping')
    damage(mapping.start + CANARY_BYTES, new Uint8Array(CANARY_BYTES))
    say('before')
    secret.close()
    factory.close()
    await nextTurn()
    await nextTurn()
  },
}

await cases[process.argv[2] ?? '']?.()
say('survived')
