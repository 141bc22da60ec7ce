import { deepStrictEqual } from 'node:assert'
import { createNativeCrypto } from '@asherah/native-ffi'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired, type Side, wallMs } from '../measure.ts'
import { hasNative } from '../native.ts'
import { AGAINST_CRATE, loadPeer } from '../peers/asherah-crate.ts'
import { assertRoundTrips } from '../round-trip.ts'
import type { Group } from '../row.ts'

const CALLERS = [1, 8, 64, 512]
const CALLS_A_BATCH = 512
const PLAINTEXT = Buffer.alloc(64, 1)

/** Callers that each await one encrypt after the other, in one session: wall time, against the crate's asynchronous call. */
export const concurrency: Group = {
  name: 'concurrency',
  async run({ quick, report }) {
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 13, sideMs: 500 }
    const Peer = loadPeer()?.PeerFactory
    const theirs = Peer && new Peer(false, 1_000).getSession('partition')
    if (theirs) deepStrictEqual(await theirs.decryptAsync(await theirs.encryptAsync(PLAINTEXT)), PLAINTEXT)
    const paths = new Map([['typescript', createBenchFactory()]])
    if (hasNative()) paths.set('native', createBenchFactory({ crypto: createNativeCrypto({ mode: 'required' }) }))

    for (const [path, factory] of paths) {
      const session = factory.getSession('partition')
      await assertRoundTrips(session, [64])
      for (const callers of CALLERS) {
        const ours = callAtOnce(callers, () => session.encryptToJson(PLAINTEXT))
        const peer = theirs ? callAtOnce(callers, () => theirs.encryptAsync(PLAINTEXT)) : null
        const against = theirs ? `${AGAINST_CRATE}, async` : null
        const measured = await measurePaired(ours, peer, effort, wallMs)
        report({ id: `${path}/concurrent-encrypt/${callers}`, unit: 'wall-ns', against, target: null, ...measured })
      }
      session.close()
      await factory.close()
    }
  },
}

/** `callers` loops side by side; an operation is one call. */
function callAtOnce(callers: number, call: () => Promise<string>): Side {
  const each = CALLS_A_BATCH / callers
  const caller = async (): Promise<void> => {
    for (let i = 0; i < each; i++) await call()
  }
  return { batch: CALLS_A_BATCH, run: async () => void (await Promise.all(Array.from({ length: callers }, caller))) }
}
