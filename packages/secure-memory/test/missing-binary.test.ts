import { expect, test } from 'vitest'
import { runChild } from './support/run-child.ts'

test('without a binary of sodium-native the import works, and making a factory is a clear SecureMemoryError', async () => {
  const result = await runChild('missing-binary.ts')
  expect(result, result.stderr).toMatchObject({ code: 0, signal: null })
  const failed = {
    code: 'ERR_ASHERAH_SECURE_MEMORY',
    message: expect.stringMatching(/sodium-native cannot be loaded on .*Alpine/),
    cause: true,
  }
  expect(JSON.parse(result.stdout)).toEqual({
    protected: failed,
    enclave: failed,
    stream: failed,
    purge: 'no error',
    exitHandlers: 'no error',
    report: { ok: false, failed: ['sodium'] },
  })
})
