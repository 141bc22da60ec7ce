import { randomBytes } from 'node:crypto'
import { createEnclaveMemory, createProtectedMemory } from '@asherah/secure-memory'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired } from '../measure.ts'
import { assertRoundTrips } from '../round-trip.ts'
import type { Group } from '../row.ts'

const SIZES = [64, 65_536]
const MEMORIES = [
  ['enclave', createEnclaveMemory],
  ['protected', createProtectedMemory],
] as const

/** What enclave and protected memory cost the TypeScript path with warm keys, against the same path with keys on the heap. */
export const protectedMemory: Group = {
  name: 'protected',
  async run({ quick, report }) {
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 13, sideMs: 500 }
    const heapFactory = createBenchFactory()
    const heap = heapFactory.getSession('partition')
    await assertRoundTrips(heap, SIZES)
    for (const [name, createMemory] of MEMORIES) {
      const secrets = createMemory()
      const factory = createBenchFactory({ secrets })
      const session = factory.getSession('partition')
      await assertRoundTrips(session, SIZES)
      for (const size of SIZES) {
        const plaintext = randomBytes(size)
        const batch = size === 64 ? 200 : 4
        const side = (of: typeof session) => ({
          batch,
          run: async () => {
            for (let i = 0; i < batch; i++) await of.encryptToJson(plaintext)
          },
        })
        const measured = await measurePaired(side(session), side(heap), effort)
        report({ id: `typescript/encrypt-json-${name}/${size}`, against: 'heap memory', target: null, ...measured })
      }
      session.close()
      await factory.close()
      secrets.close()
    }
    heap.close()
    await heapFactory.close()
  },
}
