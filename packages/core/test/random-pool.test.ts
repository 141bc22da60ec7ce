import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandomPool, type RowRandom } from '../src/internal/random-pool.ts'
import { bundle, inFolder, runNode } from './child/run.ts'
import { isAllZero } from './harness.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe.each([
  ['pooled', true],
  ['not pooled', false],
])('%s', (_what, pooled) => {
  it('each row has a key and two nonces of its own', () => {
    const pool = createRandomPool(pooled)
    const seen = new Set<string>()
    for (let i = 0; i < 500; i += 1) {
      const slot = pool.take()
      expect([slot.all.byteLength, slot.dataRowKey.byteLength]).toEqual([56, 32])
      expect([slot.dataNonce.byteLength, slot.keyNonce.byteLength]).toEqual([12, 12])
      expect(hex(slot.all)).toBe(hex(slot.dataRowKey) + hex(slot.dataNonce) + hex(slot.keyNonce))
      for (const part of [slot.dataRowKey, slot.dataNonce, slot.keyNonce]) seen.add(hex(part))
      slot.all.fill(0)
    }
    expect(seen.size).toBe(1_500)
  })

  it('is at most 4 KiB, outside the shared pool of Buffers', () => {
    const pool = createRandomPool(pooled)
    const { buffer } = pool.take().all
    expect(buffer.byteLength).toBe(pooled ? 73 * 56 : 56)
    expect(buffer.byteLength).toBeLessThanOrEqual(4_096)
    expect(buffer).not.toBe(Buffer.from('pooled').buffer)
  })

  it('drain wipes what was not used, and the next row is fresh', () => {
    const pool = createRandomPool(pooled)
    const first = pool.take()
    const whole = new Uint8Array(first.all.buffer)
    const before = whole.slice()
    expect(isAllZero(whole)).toBe(false)
    pool.drain()
    expect(isAllZero(whole)).toBe(true)
    const next = pool.take()
    expect(isAllZero(next.all)).toBe(false)
    expect(Buffer.from(before).includes(Buffer.from(next.all))).toBe(false)
  })

  it('a slot that its user wiped holds nothing until it is drawn anew', () => {
    const pool = createRandomPool(pooled)
    const taken: RowRandom[] = []
    for (let i = 0; i < (pooled ? 73 : 1); i += 1) {
      const slot = pool.take()
      taken.push(slot)
      slot.all.fill(0)
    }
    expect(taken.every(({ all }) => isAllZero(all))).toBe(true)
    pool.take()
    expect(taken.some(({ all }) => isAllZero(all))).toBe(false)
  })
})

describe('D-098 a startup snapshot', () => {
  it('of a process with a factory: two that are restored from it share no key, nonce or UUID', async () => {
    await inFolder(async (folder) => {
      const script = join(folder, 'program.cjs')
      const blob = join(folder, 'snapshot.blob')
      writeFileSync(script, bundle('snapshot.ts'))
      const built = await runNode(['--snapshot-blob', blob, '--build-snapshot', script])
      // Node warns of modules that it has not tested in snapshots; what counts is that it works.
      expect(built.code, built.stderr).toBe(0)
      const restored = [await runNode(['--snapshot-blob', blob]), await runNode(['--snapshot-blob', blob])]
      const seen = new Set<string>()
      for (const { code, stdout, stderr } of restored) {
        expect(stderr).toBe('')
        expect(code).toBe(0)
        const { parts, roundTrip, inSnapshot } = JSON.parse(stdout)
        expect(roundTrip).toBe(true)
        // A key was drawn before the snapshot: the pool was filled then.
        expect(inSnapshot).toBeGreaterThan(0)
        for (const part of parts) seen.add(part)
      }
      // 100 rows each, of a data row key and two nonces, and 50 keys of stored records.
      expect(seen.size).toBe(2 * (100 * 3 + 50))
    })
  })
})
