import { Buffer } from 'node:buffer'
import { createHeapSecrets, openAes256Gcm, type SecretFactory } from '@asherah/core/backend'
import { createStaticKms, type StaticKmsOptions } from '@asherah/kms-static'
import { SEEDED_MASTER_KEY } from '@asherah/testing/tools'
import { expect, test } from 'vitest'

const TEXT = SEEDED_MASTER_KEY
const HEX = Buffer.from(TEXT).toString('hex')
const KEY = new Uint8Array(32).map((_, i) => i * 7)

function refusal(options: object): { readonly code: unknown; readonly message: string } {
  try {
    Reflect.apply(createStaticKms, undefined, [options])
  } catch (error) {
    if (error instanceof Error) return { code: Reflect.get(error, 'code'), message: error.message }
  }
  return expect.fail('the options were accepted')
}

test('text, bytes and hex digits of one master key are one KMS', async () => {
  const same: readonly StaticKmsOptions[] = [
    { masterKey: TEXT },
    { masterKey: Buffer.from(TEXT) },
    { masterKey: new Uint8Array(Buffer.from(TEXT)) },
    { masterKeyHex: HEX },
    { masterKeyHex: HEX.toUpperCase() },
  ]
  for (const writer of same) {
    const blob = await createStaticKms(writer).encryptKey(KEY)
    expect(blob).toHaveLength(60)
    expect(openAes256Gcm(blob, Buffer.from(TEXT))).toEqual(KEY)
    for (const reader of same) expect(await createStaticKms(reader).decryptKey(blob)).toEqual(KEY)
  }
})

test('text counts in UTF-8 bytes, and is not normalized', async () => {
  const composed = 'é'.repeat(16)
  const kms = createStaticKms({ masterKey: composed })
  expect(openAes256Gcm(await kms.encryptKey(KEY), Buffer.from(composed))).toEqual(KEY)
  expect(refusal({ masterKey: 'é'.repeat(32) }).message).toContain('not 64')
  expect(refusal({ masterKey: 'e\u0301'.repeat(16) }).message).toContain('not 48')
})

test.each([
  ['no key', {}, 'there is no default key'],
  ['both keys', { masterKey: TEXT, masterKeyHex: HEX }, 'not both'],
  ['a misspelt option (D-043)', { masterkey: TEXT }, 'masterKey'],
  ['31 bytes', { masterKey: TEXT.slice(1) }, 'not 31'],
  ['33 bytes', { masterKey: `${TEXT}!` }, 'not 33'],
  ['no bytes', { masterKey: new Uint8Array() }, 'not 0'],
  ['64 hex digits as text', { masterKey: HEX }, 'masterKeyHex'],
  ['a number', { masterKey: 7 }, 'masterKey'],
  ['null', { masterKey: null }, 'masterKey'],
  ['text that is not well-formed', { masterKey: `\ud800${TEXT.slice(3)}` }, 'well-formed'],
  ['secrets that are none', { masterKey: TEXT, secrets: 'heap' }, 'SecretFactory'],
  ['hex digits as bytes', { masterKeyHex: Buffer.from(HEX) }, '64 hex digits'],
])('%s is an InvalidConfigError that says why, and does not show the key', (_, options, hint) => {
  const { code, message } = refusal(options)
  expect(code).toBe('ERR_ASHERAH_INVALID_CONFIG')
  expect(message).toContain(hint)
  expect(message).not.toContain(TEXT.slice(1, 20))
  expect(message).not.toContain(HEX.slice(0, 20))
})

test.each([
  ['signs (the peer parses +f)', '+f'.repeat(32)],
  ['non-ASCII (the peer panics)', `aéa${'0'.repeat(61)}`],
  ['an odd number of digits', HEX.slice(1)],
  ['62 digits', HEX.slice(2)],
  ['66 digits', `${HEX}00`],
  ['a prefix', `0x${HEX}`],
  ['a prefix in place of digits', `0x${HEX.slice(2)}`],
  ['white space before', ` ${HEX.slice(1)}`],
  ['a newline at the end', `${HEX}\n`],
  ['white space inside', `${HEX.slice(0, 30)}  ${HEX.slice(32)}`],
  ['full-width digits', '０'.repeat(64)],
  ['letters beyond f', 'g'.repeat(64)],
  ['nothing', ''],
])('masterKeyHex with %s is an InvalidConfigError (D-080)', (_, masterKeyHex) => {
  expect(refusal({ masterKeyHex })).toMatchObject({
    code: 'ERR_ASHERAH_INVALID_CONFIG',
    message: expect.stringContaining('64 hex digits'),
  })
})

test('the public test key is refused in every form, with the way that says what it is (D-046)', () => {
  const publicKey = 'thisIsAStaticMasterKeyForTesting'
  const forms = [
    { masterKey: publicKey },
    { masterKey: Buffer.from(publicKey) },
    { masterKeyHex: Buffer.from(publicKey).toString('hex') },
  ]
  for (const options of forms) expect(refusal(options).message).toContain('createInsecureTestKms()')
})

test('any single repeated byte is refused', () => {
  for (let byte = 0; byte < 256; byte++) {
    expect(refusal({ masterKey: new Uint8Array(32).fill(byte) }).message).toContain('one byte repeated')
  }
  expect(refusal({ masterKey: 'x'.repeat(32) }).message).toContain('one byte repeated')
  expect(refusal({ masterKeyHex: '00'.repeat(32) }).message).toContain('one byte repeated')
})

test("the master key is copied: the caller's bytes are not changed, and may be wiped", async () => {
  const masterKey = new Uint8Array(Buffer.from(TEXT))
  const kms = createStaticKms({ masterKey })
  expect(masterKey).toEqual(new Uint8Array(Buffer.from(TEXT)))
  masterKey.fill(0)
  const blob = await kms.encryptKey(KEY)
  expect(openAes256Gcm(blob, Buffer.from(TEXT))).toEqual(KEY)
})

test('every copy that construction makes is wiped, also when the key is refused (D-100)', () => {
  const given: Uint8Array[] = []
  const secrets: SecretFactory = {
    ...createHeapSecrets(),
    fromBytes(bytes) {
      given.push(bytes)
      throw new RangeError('no more memory')
    },
  }
  expect(() => createStaticKms({ masterKey: TEXT, secrets })).toThrow('no more memory')
  expect(given).toEqual([new Uint8Array(32)])
})

test("the key is kept in the given factory's secret, and close closes that and nothing else", async () => {
  const secrets = createHeapSecrets()
  const other = secrets.createRandom(1)
  const kms = createStaticKms({ masterKey: TEXT, secrets })
  const blob = await kms.encryptKey(KEY)
  expect(kms.closed).toBe(false)
  kms.close()
  kms.close()
  expect([kms.closed, other.closed]).toEqual([true, false])
  const closed = { code: 'ERR_ASHERAH_CLOSED' }
  await expect(kms.encryptKey(KEY)).rejects.toMatchObject(closed)
  await expect(kms.decryptKey(blob)).rejects.toMatchObject(closed)
  const second = createStaticKms({ masterKey: TEXT, secrets })
  secrets.close()
  await expect(second.encryptKey(KEY)).rejects.toMatchObject(closed)
})

test('Symbol.dispose closes', () => {
  const kms = createStaticKms({ masterKey: TEXT })
  kms[Symbol.dispose]()
  expect(kms.closed).toBe(true)
})

test('encryptKey takes 32 bytes and nothing else', async () => {
  const kms = createStaticKms({ masterKey: TEXT })
  for (const length of [0, 16, 31, 33, 64]) {
    await expect(kms.encryptKey(new Uint8Array(length))).rejects.toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT' })
  }
})

test('a tag that fails is a KmsError whose cause says so; a blob of another KMS is named as that', async () => {
  const kms = createStaticKms({ masterKey: TEXT })
  const blob = await createStaticKms({ masterKey: 'another master key of 32 bytes !' }).encryptKey(KEY)
  const failed = { code: 'ERR_ASHERAH_KMS', cause: { code: 'ERR_ASHERAH_DECRYPTION_FAILED' } }
  await expect(kms.decryptKey(blob)).rejects.toMatchObject(failed)
  const envelope = new TextEncoder().encode('{"encryptedKey":"AAAA","kmsKeks":[]}')
  const other = { code: 'ERR_ASHERAH_KMS', message: expect.stringContaining('another KMS') }
  await expect(kms.decryptKey(envelope)).rejects.toMatchObject(other)
})
