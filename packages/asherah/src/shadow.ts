import type { LoadPackage, Plan } from '@asherah/config'
import { channels } from '@asherah/core'
import { chooseCrypto, type KeyPath } from './choose-crypto.ts'
import { type Engine, engineOver } from './engine.ts'

/** The other path, which checks behind what this one has done. */
export interface Shadow {
  /** @param plaintext A copy, which is wiped. */
  check(done: 'encrypted' | 'decrypted', partitionId: string, record: string | Uint8Array, plaintext: Uint8Array): void
  close(): Promise<void>
}

/** Checks that wait, at most: more are not made, and counted. */
const LIMIT = 1_000

/**
 * With `ASHERAH_ENGINE_SHADOW=1`, a second engine without the path of the first one, over the same metastore. It decrypts what was
 * encrypted or decrypted, and publishes `SHADOW_DIFFERENCE` on `asherah:warning` where the bytes differ or it fails.
 */
export async function createShadow(plan: Plan, load: LoadPackage, engine: Engine): Promise<Shadow | undefined> {
  if (!['1', 'true', 'on', 'yes'].includes((process.env.ASHERAH_ENGINE_SHADOW ?? '').toLowerCase())) return undefined
  // The backends are the first engine's, which closes them.
  const backends = { ...engine.backends, close: async () => {} }
  const other = engineOver(plan, backends, await chooseCrypto(load, without(engine.path)))
  const running = new Set<Promise<void>>()
  let skipped = 0

  const compare = async (
    what: string,
    partitionId: string,
    record: string | Uint8Array,
    expected: Uint8Array,
  ): Promise<void> => {
    try {
      const found = await other.decrypt(partitionId, record)
      const same = Buffer.compare(found, expected) === 0
      found.fill(0)
      if (!same) report(`${what} by the ${engine.path} path: the ${other.path} path reads other bytes`)
    } catch (cause) {
      report(`${what} by the ${engine.path} path: the ${other.path} path cannot read it`, cause)
    } finally {
      expected.fill(0)
    }
  }
  return {
    check(done, partitionId, record, plaintext) {
      if (running.size >= LIMIT) {
        skipped += 1
        plaintext.fill(0)
        return
      }
      const check = compare(done, partitionId, typeof record === 'string' ? record : new Uint8Array(record), plaintext)
      running.add(check)
      void check.finally(() => running.delete(check))
    },
    async close() {
      await Promise.all(running)
      if (skipped > 0) report(`${skipped} operations were not compared: the other path was too slow`)
      await other.close()
    },
  }
}

function without(path: KeyPath): KeyPath | undefined {
  return path === 'native' ? 'native' : undefined
}

function report(message: string, cause?: unknown): void {
  channels.warning.publish({ code: 'SHADOW_DIFFERENCE', message, ...(cause !== undefined && { cause }) })
}
