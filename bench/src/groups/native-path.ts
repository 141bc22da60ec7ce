import { deepStrictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { Session } from '@asherah/core'
import { createNativeCrypto } from '@asherah/native-ffi'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired } from '../measure.ts'
import { hasNative } from '../native.ts'
import { AGAINST_CRATE, loadPeer, type PeerSession } from '../peers/asherah-crate.ts'
import type { Group, GroupContext } from '../row.ts'

const ENCRYPT_TARGETS: readonly (readonly [size: number, target: number | null])[] = [
  [64, 0.45],
  [1_024, 0.45],
  [8_192, 0.4],
  [65_536, 0.4],
  [1_048_576, null],
]
const DECRYPT_TARGETS = new Map([
  [64, 0.55],
  [65_536, 0.6],
])
const BATCH_ROWS = 1_000
const ROW_META = {
  created: 1_795_251_290,
  parentKeyMeta: { keyId: '_IK_partition_service_product', created: 1_795_251_240 },
}

/** The Rust path with warm keys, against the Rust crate's own calls. */
export const nativePath: Group = {
  name: 'native',
  async run({ quick, report }: GroupContext) {
    const peer = loadPeer()
    if (peer === null || !hasNative()) return
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 13, sideMs: 500 }
    const crypto = createNativeCrypto({ mode: 'required' })
    const factory = createBenchFactory({ crypto })
    const session = factory.getSession('partition')
    const theirs = new peer.PeerFactory(false, 1_000).getSession('partition')
    await assertEqualWork(session, theirs)
    const row = async (id: string, target: number | null, ours: Work, other: Work, batch: number): Promise<void> => {
      const measured = await measurePaired(
        { batch, run: repeat(ours, batch) },
        { batch, run: repeat(other, batch) },
        effort,
      )
      report({ id: `native/${id}`, against: AGAINST_CRATE, target, ...measured })
    }

    for (const [size, target] of ENCRYPT_TARGETS) {
      const plaintext = randomBytes(size)
      const batch = Math.max(1, Math.min(500, Math.floor(500_000 / size)))
      // From 128 KiB on, encryptToJson leaves the main thread: see the async rows.
      if (size <= 65_536) {
        await row(
          `encrypt-json/${size}`,
          target,
          () => session.encryptToJson(plaintext),
          () => theirs.encrypt(plaintext),
          batch,
        )
      }
      const json = await session.encryptToJson(plaintext)
      const theirJson = theirs.encrypt(plaintext)
      const decryptTarget = DECRYPT_TARGETS.get(size) ?? null
      await row(
        `decrypt-json/${size}`,
        decryptTarget,
        () => session.decrypt(json),
        () => theirs.decrypt(theirJson),
        batch,
      )
    }

    // The native call alone, to tell its share of a row from the session's.
    const key = crypto.generateKey()
    for (const [size] of ENCRYPT_TARGETS.filter(([size]) => size <= 65_536)) {
      const plaintext = randomBytes(size)
      await row(
        `provider-encrypt-json/${size}`,
        null,
        () => crypto.encryptRowJson?.(key, plaintext, ROW_META),
        () => theirs.encrypt(plaintext),
        Math.max(1, Math.min(500, Math.floor(500_000 / size))),
      )
    }
    key.close()

    const small = randomBytes(64)
    await row(
      'await-encrypt/64',
      0.08,
      () => session.encryptToJson(small),
      () => theirs.encryptAsync(small),
      200,
    )
    const large = randomBytes(1_048_576)
    await row(
      'async-main-thread/1048576',
      0.1,
      () => session.encryptToJson(large),
      () => theirs.encryptAsync(large),
      4,
    )

    const many = Array.from({ length: BATCH_ROWS }, () => randomBytes(64))
    const packed = await measurePaired(
      { batch: BATCH_ROWS, run: async () => void (await session.encryptMany(many)) },
      {
        batch: BATCH_ROWS,
        run: () => {
          for (const plaintext of many) theirs.encrypt(plaintext)
        },
      },
      effort,
    )
    report({ id: `native/packed/${BATCH_ROWS}x64`, against: AGAINST_CRATE, target: 0.3, ...packed })
    session.close()
    await factory.close()
    crypto.close()
  },
}

type Work = () => unknown

/** `batch` calls, one after the other. */
function repeat(work: Work, batch: number): () => Promise<void> {
  return async () => {
    for (let i = 0; i < batch; i++) {
      const result = work()
      if (result instanceof Promise) await result
    }
  }
}

async function assertEqualWork(session: Session, theirs: PeerSession): Promise<void> {
  for (const size of [0, 1, 64, 8_192, 1_048_576]) {
    const plaintext = randomBytes(size)
    deepStrictEqual(Buffer.from(await session.decrypt(await session.encryptToJson(plaintext))), plaintext)
    deepStrictEqual(theirs.decrypt(theirs.encrypt(plaintext)), plaintext)
    deepStrictEqual(await theirs.decryptAsync(await theirs.encryptAsync(plaintext)), plaintext)
    const [batched] = await session.decryptMany(await session.encryptMany([plaintext]))
    deepStrictEqual(Buffer.from(batched ?? []), plaintext)
  }
}
