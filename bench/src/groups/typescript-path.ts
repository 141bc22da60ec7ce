import { deepStrictEqual, strictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { parseDataRowRecord, type Session } from '@asherah/core'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired } from '../measure.ts'
import { AGAINST_CRATE, loadPeer } from '../peers/asherah-crate.ts'
import { naiveDecrypt, naiveEncrypt } from '../peers/naive-node-crypto.ts'
import type { Group, GroupContext } from '../row.ts'

const SIZES = [64, 1_024, 8_192, 65_536, 1_048_576]
const AGAINST = 'naive node:crypto'
/** Encrypt against the Rust crate. */
const CRATE_TARGETS = new Map([
  [64, 6],
  [65_536, 0.7],
  [1_048_576, 0.8],
])

/** The TypeScript path (heap memory) with warm keys, against the naive form of the same row. */
export const typescriptPath: Group = {
  name: 'typescript',
  async run({ quick, report }: GroupContext) {
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 13, sideMs: 500 }
    const factory = createBenchFactory()
    const session = factory.getSession('partition')
    const naiveKey = randomBytes(32)
    const parent = { keyId: '_IK_partition_service_product', created: 1_700_000_000 }
    await assertEqualWork(session, naiveKey, parent)
    const Peer = loadPeer()?.PeerFactory
    const crate = Peer && new Peer(false, 1_000).getSession('partition')
    for (const size of SIZES) {
      const plaintext = randomBytes(size)
      const batch = Math.max(1, Math.min(200, Math.floor(200_000 / size)))
      const ours = await session.encryptToJson(plaintext)
      const theirs = naiveEncrypt(naiveKey, parent, plaintext)
      const encrypt = await measurePaired(
        {
          batch,
          run: async () => {
            for (let i = 0; i < batch; i++) await session.encryptToJson(plaintext)
          },
        },
        {
          batch,
          run: () => {
            for (let i = 0; i < batch; i++) naiveEncrypt(naiveKey, parent, plaintext)
          },
        },
        effort,
      )
      report({ id: `typescript/encrypt-json/${size}`, against: AGAINST, target: size === 64 ? 0.25 : null, ...encrypt })
      const decrypt = await measurePaired(
        {
          batch,
          run: async () => {
            for (let i = 0; i < batch; i++) await session.decrypt(ours)
          },
        },
        {
          batch,
          run: () => {
            for (let i = 0; i < batch; i++) naiveDecrypt(naiveKey, theirs)
          },
        },
        effort,
      )
      report({ id: `typescript/decrypt-json/${size}`, against: AGAINST, target: null, ...decrypt })
      const target = CRATE_TARGETS.get(size)
      if (crate === undefined || target === undefined) continue
      const againstCrate = await measurePaired(
        {
          batch,
          run: async () => {
            for (let i = 0; i < batch; i++) await session.encryptToJson(plaintext)
          },
        },
        {
          batch,
          run: () => {
            for (let i = 0; i < batch; i++) crate.encrypt(plaintext)
          },
        },
        effort,
      )
      report({ id: `typescript/encrypt-json-crate/${size}`, against: AGAINST_CRATE, target, ...againstCrate })
    }
    session.close()
    await factory.close()
  },
}

async function assertEqualWork(
  session: Session,
  key: Buffer,
  parent: { keyId: string; created: number },
): Promise<void> {
  for (const size of [0, 1, ...SIZES]) {
    const plaintext = randomBytes(size)
    const json = await session.encryptToJson(plaintext)
    deepStrictEqual(Buffer.from(await session.decrypt(json)), plaintext)
    const naive = naiveEncrypt(key, parent, plaintext)
    deepStrictEqual(naiveDecrypt(key, naive), plaintext)
    strictEqual(parseDataRowRecord(naive).data.byteLength, parseDataRowRecord(json).data.byteLength)
  }
}
