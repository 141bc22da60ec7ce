import { randomFillSync } from 'node:crypto'
import { startupSnapshot } from 'node:v8'
import { KEY_BYTES, NONCE_BYTES } from '../aes-256-gcm.ts'

/** The random bytes of one row: views over one slot of the pool, wiped by `release`. */
export interface RowRandom {
  readonly dataRowKey: Uint8Array
  readonly dataNonce: Uint8Array
  readonly keyNonce: Uint8Array
  readonly all: Uint8Array
}

/** Gives each row fresh bytes of the system's CSPRNG. */
export interface RandomPool {
  take(): RowRandom
  /** Wipes every byte that was not used yet. */
  drain(): void
}

const ROW_BYTES = KEY_BYTES + 2 * NONCE_BYTES
/** 4 KiB at the most: one draw from the system costs as much as the rest of a small row. */
const SLOTS = 73

/**
 * A pool of random rows over `randomFillSync`.
 *
 * A slot is used once and its user wipes it. The pool empties itself before a V8 startup snapshot, so that two processes
 * restored from one snapshot share no key; a forked Node process starts anew and has no copy of it.
 *
 * @param pooled false: each row asks the system (`randomPool: false`).
 */
export function createRandomPool(pooled: boolean): RandomPool {
  const count = pooled ? SLOTS : 1
  const memory = Buffer.allocUnsafeSlow(count * ROW_BYTES).fill(0)
  const slots = Array.from({ length: count }, (_, i) => slotAt(memory, i * ROW_BYTES))
  let next = count
  const drain = (): void => {
    memory.fill(0)
    next = count
  }
  if (startupSnapshot.isBuildingSnapshot()) startupSnapshot.addSerializeCallback(drain)
  return {
    take() {
      if (next === count) {
        randomFillSync(memory)
        next = 0
      }
      const slot = slots[next]
      next += 1
      if (slot === undefined) throw new RangeError('the random pool has no such slot')
      return slot
    },
    drain,
  }
}

function slotAt(memory: Buffer, start: number): RowRandom {
  const all = memory.subarray(start, start + ROW_BYTES)
  return {
    all,
    dataRowKey: all.subarray(0, KEY_BYTES),
    dataNonce: all.subarray(KEY_BYTES, KEY_BYTES + NONCE_BYTES),
    keyNonce: all.subarray(KEY_BYTES + NONCE_BYTES),
  }
}
