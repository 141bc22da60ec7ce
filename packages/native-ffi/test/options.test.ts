import { createHeapSecrets, InvalidConfigError } from '@asherah/core/backend'
import { afterEach, describe, expect, test } from 'vitest'
import { createNativeCrypto, nativeStatus } from '../src/index.ts'

/** As a caller without types would. */
function createWith(options: unknown): unknown {
  return Reflect.apply(createNativeCrypto, undefined, [options])
}

describe('options', () => {
  test.each([
    [{ mod: 'auto' }, /no option "mod": did you mean mode\?/],
    [{ mode: 'require' }, /option mode is one of 'auto', 'required', 'off', not "require": did you mean 'required'\?/],
    [{ mode: 1 }, /option mode is one of .* not number/],
    [{ onLockLimit: 'ignore' }, /option onLockLimit is one of 'encrypt', 'throw', not "ignore"/],
    [{ allowUnlocked: 'yes' }, /option allowUnlocked is true or false, not string/],
    [{ randomPool: 0 }, /option randomPool is true or false, not number/],
    [{ path: '' }, /option path is the path of a native binary, not ''/],
    [{ path: 5 }, /option path is the path of a native binary, not number/],
  ])('%j is refused, by name', (options, message) => {
    expect(() => createWith(options)).toThrow(InvalidConfigError)
    expect(() => createWith(options)).toThrow(message)
  })

  test('nativeStatus refuses unknown options too', () => {
    expect(() => Reflect.apply(nativeStatus, undefined, [{ file: 'x' }])).toThrow(/nativeStatus has no option "file"/)
    expect(() => Reflect.apply(nativeStatus, undefined, [{ path: 1 }])).toThrow(InvalidConfigError)
  })
})

describe('ASHERAH_NATIVE in the environment', () => {
  const before = process.env.ASHERAH_NATIVE
  afterEach(() => {
    if (before === undefined) delete process.env.ASHERAH_NATIVE
    else process.env.ASHERAH_NATIVE = before
  })

  test('off wins over required', () => {
    process.env.ASHERAH_NATIVE = 'off'
    const crypto = createNativeCrypto({ mode: 'required' })
    expect(crypto.kind).toBe('node:crypto')
    crypto.close()
    expect(nativeStatus()).toMatchObject({ available: false, attempts: [], memory: undefined })
  })

  test('required wins over auto and off', () => {
    process.env.ASHERAH_NATIVE = 'required'
    for (const mode of ['auto', 'off'] as const) {
      expect(() => createNativeCrypto({ mode, path: '/no/such/file.node' })).toThrow(InvalidConfigError)
    }
  })

  test('another value is refused, and the empty one is none', () => {
    process.env.ASHERAH_NATIVE = 'of'
    const message = /environment variable ASHERAH_NATIVE is one of .* not "of": did you mean 'off'\?/
    expect(() => createNativeCrypto()).toThrow(message)
    expect(() => nativeStatus()).toThrow(message)
    process.env.ASHERAH_NATIVE = ''
    createNativeCrypto({ mode: 'off' }).close()
  })
})

describe('off', () => {
  test('secrets that were given stay open, those that were made are closed', async () => {
    const secrets = createHeapSecrets()
    const crypto = createNativeCrypto({ mode: 'off', secrets })
    crypto.generateKey()
    crypto.close()
    expect(secrets.createRandom(1).closed).toBe(false)
    secrets.close()
    const own = createNativeCrypto({ mode: 'off' })
    const key = own.generateKey()
    own.close()
    expect(key.closed).toBe(true)
  })
})
