import { closeSync, openSync, writeSync } from 'node:fs'
import { createEnclaveMemory } from '@asherah/secure-memory'
import { expect } from 'vitest'
import { testWith } from './support/needs.ts'
import { lockedMappings } from './support/process-memory.ts'

/** libsodium's canary; then the first slot of a slab. */
const FIRST_SLOT = 16
const SLOT_BYTES = 48

testWith(
  ['proc', 'own memory'],
  'a secret that was altered in memory is a SecureMemoryError, and the others are right',
  () => {
    const factory = createEnclaveMemory()
    const secrets = Array.from({ length: 3 }, (_, i) => factory.fromBytes(new Uint8Array(32).fill(i + 1)))
    const mem = openSync('/proc/self/mem', 'r+')
    // In the pages of the coffer and of opened secrets, this place is not used.
    for (const { start } of lockedMappings('self'))
      writeSync(mem, new Uint8Array(1).fill(0xff), 0, 1, start + FIRST_SLOT + SLOT_BYTES + 5)
    closeSync(mem)
    const read = (i: number): unknown => secrets[i]?.withBytes((bytes) => bytes.every((byte) => byte === i + 1))
    expect(read(0)).toBe(true)
    expect(() => read(1)).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_SECURE_MEMORY' }))
    expect(() => read(1)).toThrow('altered in memory')
    expect(read(2)).toBe(true)
    factory.close()
  },
)
