import { decryptString, encryptString, SessionFactory, setenv, setup, shutdownAsync } from '@asherah/asherah'
import { afterEach, describe, expect, it } from 'vitest'
import { codeOf, MASTER_KEY_HEX, memoryConfig } from './config.ts'

afterEach(async () => {
  await shutdownAsync()
  for (const name of Object.keys(process.env))
    if (/^(TEST_ASHERAH|SERVICE_NAME|PRODUCT_ID|Metastore|KMS|STATIC_MASTER)/.test(name)) delete process.env[name]
})

describe('setenv', () => {
  it('D-041 takes a JSON object, null unsets, and KEY=VALUE lines', () => {
    setenv('{"TEST_ASHERAH_A":"1","TEST_ASHERAH_B":"x=y"}')
    expect(process.env.TEST_ASHERAH_A).toBe('1')
    expect(process.env.TEST_ASHERAH_B).toBe('x=y')
    setenv('{"TEST_ASHERAH_A":null}')
    expect('TEST_ASHERAH_A' in process.env).toBe(false)
    setenv('# comment\n\nTEST_ASHERAH_A=2\r\nTEST_ASHERAH_C=a=b\n')
    expect(process.env.TEST_ASHERAH_A).toBe('2')
    expect(process.env.TEST_ASHERAH_C).toBe('a=b')
  })

  it.each([
    'not json',
    '{',
    '{"TEST_ASHERAH_A":1}',
    '{"TEST_ASHERAH_A":"1","":"x"}',
    '["TEST_ASHERAH_A=1"]x',
    'TEST_ASHERAH_A=1\nhunter2',
    '',
    '=x',
  ])('D-041 refuses %j whole, and applies nothing', (text) => {
    expect(codeOf(() => setenv(text))).toBe('ERR_ASHERAH_INVALID_CONFIG')
    expect('TEST_ASHERAH_A' in process.env).toBe(false)
    try {
      setenv(text)
    } catch (error) {
      expect(String(error)).not.toContain('hunter2')
    }
  })

  it('D-041 is refused after setup', () => {
    setup(memoryConfig)
    expect(() => setenv('{"TEST_ASHERAH_A":"1"}')).toThrow('setenv must come before setup')
    expect('TEST_ASHERAH_A' in process.env).toBe(false)
  })

  it('D-040 gives setup the static key', () => {
    setenv(JSON.stringify({ STATIC_MASTER_KEY_HEX: MASTER_KEY_HEX }))
    setup({ serviceName: 's', productId: 'p', metastore: 'memory', kms: 'static' })
    expect(decryptString('p', encryptString('p', 'x'))).toBe('x')
  })
})

describe('SessionFactory.fromEnv', () => {
  it('reads the environment alone', async () => {
    expect(codeOf(() => SessionFactory.fromEnv())).toBe('ERR_ASHERAH_INVALID_CONFIG')
    setenv(`SERVICE_NAME=s\nPRODUCT_ID=p\nMetastore=memory\nKMS=static\nSTATIC_MASTER_KEY_HEX=${MASTER_KEY_HEX}`)
    const factory = SessionFactory.fromEnv()
    expect(factory.getSession('x').encryptString('x')).toContain('_IK_x_s_p')
    await factory.closeAsync()
  })
})
