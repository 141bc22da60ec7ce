import { deepStrictEqual } from 'node:assert'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired } from '../measure.ts'
import type { Group } from '../row.ts'

const PARTITIONS = 100_000
const PLAINTEXT = new Uint8Array(64).fill(1)

/** Cold partitions, and many partitions through a small session cache. Its peer comes with the Rust path. */
export const partitions: Group = {
  name: 'partitions',
  async run({ quick, report }) {
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 9, sideMs: 1_000 }
    const factory = createBenchFactory({ cacheSessions: true, sessionCacheMaxSize: 1_000 })
    let next = 0
    const encryptFor = async (partition: string): Promise<void> => {
      const session = factory.getSession(partition)
      await session.encryptToJson(PLAINTEXT)
      session.close()
    }
    const session = factory.getSession('check')
    deepStrictEqual(await session.decrypt(await session.encryptToJson(PLAINTEXT)), PLAINTEXT)
    session.close()

    const batch = 50
    const cold = async (): Promise<void> => {
      for (let i = 0; i < batch; i++) await encryptFor(`cold-${next++}`)
    }
    report({
      id: 'typescript/cold-partition/64',
      against: null,
      target: null,
      ...(await measurePaired({ batch, run: cold }, null, effort)),
    })

    const count = quick ? PARTITIONS / 10 : PARTITIONS
    for (let i = 0; i < count; i++) await encryptFor(`partition-${i}`)
    // A fixed sequence (a linear congruential generator): each run visits the same partitions.
    let state = 1
    const random = async (): Promise<void> => {
      for (let i = 0; i < batch; i++) {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31
        await encryptFor(`partition-${state % count}`)
      }
    }
    report({
      id: `typescript/partitions-random/${count}`,
      against: null,
      target: null,
      ...(await measurePaired({ batch, run: random }, null, effort)),
    })
    await factory.close()
  },
}
