import { SEEDED_MASTER_KEY_HEX } from '@asherah/testing/tools'
import { describe, expect, test } from 'vitest'
import { openKms } from '../../src/keys/kms-setting.ts'
import { createSettings } from '../../src/settings.ts'

const arn = (region: string) => `arn:aws:kms:${region}:000000000000:key/1`
const secret = 'f0'.repeat(32)

function open(kms: string, flags: object = {}, env: Record<string, string> = {}) {
  const settings = createSettings({ flags: { kms, ...flags }, env, file: undefined })
  return openKms({ settings, env, prompt: undefined, warn() {} })
}

describe('--kms', () => {
  test('without one, and static, is the master key', async () => {
    const env = { ASHERAH_MASTER_KEY_HEX: SEEDED_MASTER_KEY_HEX }
    const settings = createSettings({ flags: {}, env, file: undefined })
    const kms = await openKms({ settings, env, prompt: undefined, warn() {} })
    const wrapped = await kms.encryptKey(Buffer.alloc(32, 1))
    const same = await open('static', {}, env)
    expect(Buffer.from(await same.decryptKey(wrapped))).toEqual(Buffer.alloc(32, 1))
  })

  test.each([
    ['aws-kns://x', /knows no aws-kns: did you mean aws-kms\?/],
    ['gcp://x', /knows no gcp: it is static/],
    [secret, /--kms must be static/],
    [`vault:${secret}`, /--kms must be static/],
    ['aws-kms://', /--kms must be static/],
    ['aws-kms://x?regoin=y', /has no option "regoin": did you mean region\?/],
    [`vault://x?token=${secret}`, /has no option "token"/],
    [`aws-kms://${arn('us-west-2')},x`, /several keys must be ARNs/],
    [`aws-kms://${arn('us-west-2')},${arn('us-west-2')}`, /two of the ARNs are of one region/],
    [`aws-kms://${arn('us-west-2')},${arn('eu-west-1')}?region=us-west-2`, /region is for one key/],
    [`aws-kms://${arn('us-west-2')}?region=eu-west-1`, /a key in us-west-2, not in eu-west-1/],
    ['vault://x', /--kms vault: VAULT_ADDR is missing/],
    ['vault://x?address=https://v', /--kms vault: VAULT_TOKEN is missing: .*, or VAULT_AUTH_METHOD/],
  ])('%s: refused', async (kms, message) => {
    const error = await open(kms).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG', message: expect.stringMatching(message) })
    expect(String(error)).not.toContain(secret)
  })

  test('a master key file as a flag beside another KMS is refused', async () => {
    await expect(open('secrets-manager://x', { masterKeyFile: 'k' })).rejects.toThrow(
      /for --kms static, but --kms is another/,
    )
  })

  test('a token over plain HTTP to another machine is refused, and not shown', async () => {
    const error = await open('vault://x?address=http://v.example.com', {}, { VAULT_TOKEN: secret }).catch(String)
    expect(error).toMatch(/address must be https/)
    expect(error).not.toContain(secret)
  })

  test('a package that is not installed: its install line', async () => {
    const settings = createSettings({ flags: { kms: `aws-kms://${arn('us-west-2')}` }, env: {}, file: undefined })
    const load = async (name: string) => {
      throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })
    }
    const opening = openKms({ settings, env: {}, prompt: undefined, warn() {} }, { load })
    await expect(opening).rejects.toThrow(/npm install @asherah\/kms-aws$/)
  })
})
