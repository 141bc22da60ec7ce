import { createEnclaveMemory, createProtectedMemory, createSecretStream, hardenProcess } from '@asherah/secure-memory'
import { describe, expect, test } from 'vitest'

function refused(call: () => unknown, message: string): void {
  expect(call).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG' }))
  expect(call).toThrow(message)
}

describe('options', () => {
  test.each([
    [{ onLockLimits: 'throw' }, 'did you mean onLockLimit?'],
    [{ onLockLimit: 'ignore' }, "'encrypt' or 'throw'"],
    [{ allowUnlocked: 1 }, 'allowUnlocked must be true or false'],
    [{ writableViews: 'no' }, 'writableViews must be true or false'],
    [{ allowUnlocked: true, onLockLimit: 'throw' }, 'contradicts'],
    [{ rekeyAfterUses: 0 }, 'rekeyAfterUses must be a whole number from 1'],
    [{ rekeyAfterMs: 1.5 }, 'rekeyAfterMs must be a whole number from 1'],
    [{ rekeyAfterMs: Number.POSITIVE_INFINITY }, 'rekeyAfterMs'],
  ])('createEnclaveMemory refuses %j', (options, message) => {
    // @ts-expect-error what a caller without types may pass
    refused(() => createEnclaveMemory(options), message)
  })

  test.each([
    [{ maxSecret: 1 }, 'did you mean maxSecrets?'],
    [{ maxSecrets: 0 }, 'maxSecrets must be a whole number'],
    [{ maxSecrets: '10' }, 'maxSecrets must be a whole number'],
  ])('createProtectedMemory refuses %j', (options, message) => {
    // @ts-expect-error what a caller without types may pass
    refused(() => createProtectedMemory(options), message)
  })

  test.each([
    [{ maxByte: 1 }, 'did you mean maxBytes?'],
    [{ maxBytes: 0 }, 'maxBytes must be'],
    [{ wipeInput: 'yes' }, 'wipeInput must be'],
    [{ secrets: {} }, 'secrets must be a SecretFactory'],
  ])('createSecretStream refuses %j', (options, message) => {
    // @ts-expect-error what a caller without types may pass
    refused(() => createSecretStream(options), message)
  })

  test('hardenProcess refuses a level that it does not know', () => {
    // @ts-expect-error what a caller without types may pass
    refused(() => hardenProcess('everything'), 'core-dumps, debugger')
  })

  test('D-103 a secret is bytes, and of a length that the system can have', () => {
    for (const factory of [createEnclaveMemory(), createProtectedMemory()]) {
      // @ts-expect-error what a caller without types may pass
      expect(() => factory.fromBytes('a key')).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_INPUT' }))
      for (const length of [2 ** 30 + 1, 2 ** 32 + 32, 2 ** 53, '32']) {
        // @ts-expect-error what a caller without types may pass
        const call = (): unknown => factory.createRandom(length)
        expect(call).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_INPUT' }))
      }
      expect(factory.stats()).toMatchObject({ allocated: 0, inUse: 0 })
      factory.close()
    }
  })
})
