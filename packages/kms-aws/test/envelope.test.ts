import { createAwsKms } from '@asherah/kms-aws'
import { beforeAll, expect, test } from 'vitest'
import { createFakeKms } from './fake-kms.ts'

const fake = createFakeKms()
const regionMap = fake.regionMap('us-west-2', 'eu-west-1')
const kms = createAwsKms({ regionMap, preferredRegion: 'us-west-2', clients: fake.clients('us-west-2', 'eu-west-1') })
const systemKey = new Uint8Array(32).fill(7, 3)

let text: string
beforeAll(async () => {
  text = Buffer.from(await kms.encryptKey(systemKey)).toString()
})

const decrypt = (envelope: string | Uint8Array) => kms.decryptKey(Buffer.from(envelope))

test.each<[string, () => string]>([
  ['white space', () => JSON.stringify(JSON.parse(text), null, '\t')],
  ['other order', () => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse()))],
  ['no arn (D-087)', () => text.replaceAll(/"arn":"[^"]*",/g, '')],
  ['arn: null', () => text.replaceAll(/"arn":"[^"]*"/g, '"arn":null')],
  ['unknown fields, also with the name of a known one inside', () => text.replace('{', '{"x":{"encryptedKey":[1]},')],
  ['escapes that mean the same', () => text.replace('encryptedKey', '\\u0065ncryptedKey')],
  ['__proto__ and constructor', () => text.replace('{', '{"__proto__":{"encryptedKey":1},"constructor":2,')],
])('read: %s', async (_, envelope) => {
  expect(await decrypt(envelope())).toEqual(systemKey)
})

test.each<[string, () => string | Uint8Array]>([
  ['D-087 encryptedKey twice', () => text.replace('{', '{"encryptedKey":"AA==",')],
  ['D-087 encryptedKey twice, once escaped', () => text.replace('{', '{"\\u0065ncryptedKey":"AA==",')],
  ['D-087 region twice', () => text.replace('"region"', '"region":"eu-west-1","region"')],
  ['names in another case', () => text.replace('kmsKeks', 'KmsKeks')],
  ['kmsKeks only on the prototype', () => text.replace('"kmsKeks"', '"__proto__":{"kmsKeks":[]},"x"')],
  ['text after the JSON', () => `${text}x`],
  ['a byte order mark', () => `\uFEFF${text}`],
  ['bytes that are not UTF-8', () => Buffer.concat([Buffer.from(text), Buffer.from([0xff])])],
  ['a short encryptedKey (D-089)', () => text.replace(/"encryptedKey":"[^"]*"/, '"encryptedKey":"AAAA"')],
  ['URL-safe base64', () => text.replace(/"encryptedKek":"[^"]*"/, '"encryptedKek":"__-_"')],
  ['an empty KEK', () => text.replace(/"encryptedKek":"[^"]*"/, '"encryptedKek":""')],
  [
    'a KEK beyond KMS’s limit (D-090)',
    () => text.replace(/"encryptedKek":"[^"]*"/, `"encryptedKek":"${'AAAA'.repeat(2_049)}"`),
  ],
  ['a KEK that is no object', () => text.replace('[{', '[1,{')],
  ['an arn that is a number', () => text.replace(/"arn":"[^"]*"/, '"arn":1')],
  ['over 256 KiB (D-090)', () => text + ' '.repeat(262_144)],
  ['deep nesting', () => '['.repeat(100_000)],
])('refused before any KMS call: %s', async (_, envelope) => {
  fake.calls.length = 0
  const altered = envelope()
  expect(altered).not.toEqual(text)
  const error: unknown = await decrypt(altered).catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'ERR_ASHERAH_KMS',
    message: expect.stringContaining('is not an AWS KMS envelope'),
  })
  expect(fake.calls).toEqual([])
})

test('an envelope of other regions only: a KmsError names ours, and no call is made', async () => {
  fake.calls.length = 0
  const others = text.replace('"us-west-2"', '"ap-south-1"').replace('"eu-west-1"', '"ap-south-2"')
  await expect(decrypt(others)).rejects.toMatchObject({
    code: 'ERR_ASHERAH_KMS',
    message: expect.stringContaining('us-west-2, eu-west-1'),
  })
  expect(fake.calls).toEqual([])
})
