import type { KeyManagementService } from '@asherah/core/backend'
import { createKmsFaults, faultyKms } from '@asherah/testing'
import { expect, test } from 'vitest'

const inner: KeyManagementService = {
  encryptKey: async (key) => key.map((byte) => byte ^ 0xff),
  decryptKey: async (blob) => blob.map((byte) => byte ^ 0xff),
}
const key = new Uint8Array(32).fill(5)

test('a faulty KMS fails, loses and alters what it is told to, and counts', async () => {
  const faults = createKmsFaults()
  const kms = faultyKms(inner, faults)
  faults.encryptKey.fail({ nth: 1, times: 2 })
  await expect(kms.encryptKey(key)).rejects.toThrow('injected: encryptKey failed')
  await expect(kms.encryptKey(key)).rejects.toThrow('injected: encryptKey failed')
  const blob = await kms.encryptKey(key)
  expect(await kms.decryptKey(blob)).toEqual(key)
  faults.decryptKey.corrupt((bytes) => bytes.slice(1))
  expect(await kms.decryptKey(blob)).toHaveLength(31)
  expect([faults.encryptKey.calls, faults.decryptKey.calls]).toEqual([3, 2])
  faults.reset()
  faults.decryptKey.loseAnswer()
  await expect(kms.decryptKey(blob)).rejects.toThrow('the answer of decryptKey is lost')
  expect(faults.decryptKey.calls).toBe(1)
})

test('faults must come from createKmsFaults', () => {
  const faults = { ...createKmsFaults() }
  expect(() => faultyKms(inner, faults)).toThrow('createKmsFaults()')
})
