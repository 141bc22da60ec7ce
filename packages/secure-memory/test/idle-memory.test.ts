import { describe, expect } from 'vitest'
import { MASK } from './support/mask.ts'
import { testWith } from './support/needs.ts'
import { findInMemory } from './support/process-memory.ts'
import { converse } from './support/run-child.ts'

const PART_BYTES = 24

/** The keys that the child told; of long ones a piece from the middle. */
function unmask(told: string): Buffer[] {
  const keys: unknown = JSON.parse(told)
  if (!Array.isArray(keys)) throw new Error('the child told no keys')
  return keys.map((hex) => {
    const bytes = Buffer.from(String(hex), 'hex').map((byte) => byte ^ MASK)
    const at = Math.floor((bytes.byteLength - PART_BYTES) / 2)
    return Buffer.from(bytes.subarray(at, at + PART_BYTES))
  })
}

/** How often each key is in the child's memory. */
function count(pid: number, keys: readonly Buffer[]): number[] {
  return keys.map((key) => findInMemory(pid, key).length)
}

describe('a scan of the whole memory of a process, from another one', () => {
  for (const kind of ['enclave', 'enclave, writable views']) {
    testWith(
      ["other processes' memory"],
      `D-100 ${kind}: key bytes are there inside an action, and not while idle, after use or after close`,
      async () => {
        const child = converse('idle.ts', [kind])
        try {
          const keys = unmask(await child.ask('make'))
          expect(keys).toHaveLength(3)
          expect(count(child.pid, keys), 'idle').toEqual([0, 0, 0])
          await child.ask('use')
          expect(count(child.pid, keys), 'after use').toEqual([0, 0, 0])
          await child.ask('inside')
          expect(count(child.pid, keys), 'inside an action on the first').toEqual([1, 0, 0])
          await child.ask('outside')
          expect(count(child.pid, keys), 'after that action').toEqual([0, 0, 0])
          await child.ask('close')
          expect(count(child.pid, keys), 'after close').toEqual([0, 0, 0])
        } finally {
          await child.end()
        }
      },
    )
  }

  testWith(
    ["other processes' memory"],
    'D-100 protected memory: key bytes are in one page without access, and nowhere after close',
    async () => {
      const child = converse('idle.ts', ['protected'])
      try {
        const keys = unmask(await child.ask('make'))
        await child.ask('use')
        for (const key of keys) expect(findInMemory(child.pid, key)).toEqual([expect.stringContaining('(---p)')])
        await child.ask('inside')
        const [first, second] = keys.map((key) => findInMemory(child.pid, key))
        expect(first, 'read-only inside an action').toEqual([expect.stringContaining('(r--p)')])
        expect(second).toEqual([expect.stringContaining('(---p)')])
        await child.ask('outside')
        await child.ask('close')
        expect(count(child.pid, keys), 'after close').toEqual([0, 0, 0])
      } finally {
        await child.end()
      }
    },
  )

  testWith(["other processes' memory"], 'the scan finds the keys of heap memory, so it can find', async () => {
    const child = converse('idle.ts', ['heap'])
    try {
      const keys = unmask(await child.ask('make'))
      for (const found of count(child.pid, keys)) expect(found).toBeGreaterThanOrEqual(1)
    } finally {
      await child.end()
    }
  })

  testWith(
    ["other processes' memory"],
    'D-100 system and intermediate keys of sessions over enclave memory are nowhere while idle',
    async () => {
      for (const kind of ['enclave', 'heap']) {
        const child = converse('session-keys.ts', [kind], { node: ['--expose-gc'] })
        try {
          const keys = unmask(await child.ask('keys'))
          expect(keys).toHaveLength(4)
          const found = count(child.pid, keys)
          if (kind === 'enclave') expect(found).toEqual([0, 0, 0, 0])
          else expect(found.filter((n) => n > 0).length, 'the control: two keys are open').toBeGreaterThanOrEqual(2)
        } finally {
          await child.end()
        }
      }
    },
  )
})
