import { deepStrictEqual } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import * as asherah from '@asherah/asherah'
import { type Effort, measurePaired, type Side, wallMs } from '../measure.ts'
import { AGAINST_CRATE, loadPeer } from '../peers/asherah-crate.ts'
import type { Group } from '../row.ts'

const SIZES = [64, 1_024, 65_536]
const PARTITION = 'partition'

/** The drop-in package's module API, warm keys, against the crate's session calls of the same kind. */
export const dropIn: Group = {
  name: 'drop-in',
  async run({ quick, report }) {
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 13, sideMs: 500 }
    const Peer = loadPeer()?.PeerFactory
    const theirs = Peer && new Peer(true, 1_000).getSession(PARTITION)
    const key = '1f8e3ac47b902d5566c4f0a9e1b37d8812fe6a4b9c03d7e5a8416b2d90cf7e35'
    const config = { ServiceName: 'service', ProductID: 'product', Metastore: 'memory', KMS: 'static' }
    await asherah.setupAsync({ ...config, StaticMasterKeyHex: key })
    const session = new asherah.SessionFactory({ ...config, StaticMasterKeyHex: key }).getSession(PARTITION)
    for (const size of SIZES) {
      const plaintext = Buffer.alloc(size, 1)
      const batch = Math.max(1, Math.min(200, Math.floor(200_000 / size)))
      const ours = await asherah.encryptAsync(PARTITION, plaintext)
      const record = theirs?.encrypt(plaintext) ?? ours
      deepStrictEqual(asherah.decrypt(PARTITION, ours), plaintext)
      if (theirs) deepStrictEqual(theirs.decrypt(record), plaintext)
      await session.decryptAsync(await session.encryptAsync(plaintext))
      await sleep(10)
      const row = async (id: string, target: number, call: () => unknown, peer?: () => unknown): Promise<void> => {
        const isAsync = id.endsWith('async')
        const side = (one: () => unknown): Side => ({
          batch,
          run: isAsync ? awaited(batch, one) : repeated(batch, one),
        })
        const clock = isAsync ? wallMs : undefined
        const measured = await measurePaired(side(call), peer ? side(peer) : null, effort, clock)
        const against = peer ? AGAINST_CRATE : null
        report({ id: `drop-in/${id}/${size}`, ...(isAsync && { unit: 'wall-ns' }), against, target, ...measured })
      }
      await row(
        'encrypt',
        0.6,
        () => asherah.encrypt(PARTITION, plaintext),
        theirs && (() => theirs.encrypt(plaintext)),
      )
      await row('session-encrypt', 0.6, () => session.encrypt(plaintext), theirs && (() => theirs.encrypt(plaintext)))
      await row('decrypt', 0.6, () => asherah.decrypt(PARTITION, ours), theirs && (() => theirs.decrypt(record)))
      await row(
        'encrypt-async',
        0.1,
        () => asherah.encryptAsync(PARTITION, plaintext),
        theirs && (() => theirs.encryptAsync(plaintext)),
      )
      await row(
        'decrypt-async',
        0.1,
        () => asherah.decryptAsync(PARTITION, ours),
        theirs && (() => theirs.decryptAsync(record)),
      )
    }
    await asherah.shutdownAsync()
  },
}

function repeated(batch: number, call: () => unknown): () => void {
  return () => {
    for (let i = 0; i < batch; i++) call()
  }
}

function awaited(batch: number, call: () => unknown): () => Promise<void> {
  return async () => {
    for (let i = 0; i < batch; i++) await call()
  }
}
