import { Buffer } from 'node:buffer'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createInsecureTestKms } from '@asherah/kms-static'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => vi.unstubAllEnvs())

/** The system key of `go-memory` of the interoperability vectors, as Go wrote it under the public test key. */
const GO_BLOB = 'geAFIRYS/O1TnqTmmMLFFZkVZwWafnNBEoPoVTVhCoOFarED+jLogJ4n/pAfyaHUT7XRb1B/CMqoKbY4'

test('it reads what other implementations wrote under the public test key', async () => {
  const key = await createInsecureTestKms().decryptKey(Buffer.from(GO_BLOB, 'base64'))
  expect(key).toHaveLength(32)
})

test('it says on asherah:warning what it is, each time (D-046)', () => {
  const messages: unknown[] = []
  const listen = (message: unknown): number => messages.push(message)
  subscribe('asherah:warning', listen)
  createInsecureTestKms()
  createInsecureTestKms()
  unsubscribe('asherah:warning', listen)
  expect(messages).toEqual(
    Array.from({ length: 2 }, () => ({ code: 'INSECURE_TEST_KMS', message: expect.stringContaining('public') })),
  )
})

test('it is refused in production, unless that is asked for (D-046)', async () => {
  vi.stubEnv('NODE_ENV', 'production')
  expect(() => createInsecureTestKms()).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG' }))
  const kms = createInsecureTestKms({ allowInProduction: true })
  const key = new Uint8Array(32).fill(1)
  expect(await kms.decryptKey(await kms.encryptKey(key))).toEqual(key)
})

test('a misspelt option is refused', () => {
  const options = { allowInProduction: false, secret: 1 }
  expect(() => createInsecureTestKms(options)).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG' }))
})
