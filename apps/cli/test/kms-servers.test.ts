import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { describeService } from '@asherah/testing'
import { startFakeVault, startMoto } from '@asherah/testing/services'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { type CliResult, runCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// The same commands under each KMS, through the real command in a process of its own.
vi.setConfig({ testTimeout: 120_000 })

interface Setup {
  readonly kms: string
  readonly env: Readonly<Record<string, string>>
}

function folderOf({ kms, env }: Setup) {
  const cwd = tempFolder()
  const config = { service: 'crm', product: 'shop', metastore: 'sqlite://keys.db', kms }
  writeFileSync(join(cwd, 'asherah.config.json'), JSON.stringify(config))
  const run = async (args: readonly string[], input: string | Uint8Array = ''): Promise<CliResult> => {
    const result = await runCli(args, { cwd, input, env })
    for (const [name, value] of Object.entries(env)) {
      if (/TOKEN|SECRET/.test(name)) expect(result.stdout.toString() + result.stderr).not.toContain(value)
    }
    return result
  }
  return { cwd, run }
}

/** Encrypts, rotates and decrypts. @returns the wrapped system keys. */
async function cycle(setup: Setup, ...flags: readonly string[]): Promise<Buffer[]> {
  const { cwd, run } = folderOf(setup)
  const old = await run(['encrypt', '--record', '--partition', 'acme', ...flags], 'before')
  expect(old.code, old.stderr).toBe(0)
  const rotated = await run(['keys', 'rotate', '--system', '--all-partitions', ...flags])
  expect(rotated.code, rotated.stderr).toBe(0)
  const made = await run(['encrypt', '--record', '--partition', 'acme', ...flags], 'after')
  for (const [record, plaintext] of [
    [old, 'before'],
    [made, 'after'],
  ] as const) {
    const back = await run(['decrypt', '--partition', 'acme', '--quiet', ...flags], record.stdout)
    expect(back).toMatchObject({ code: 0, stderr: '' })
    expect(back.stdout.toString()).toBe(plaintext)
  }
  const metastore = createSqliteMetastore({ path: join(cwd, 'keys.db') })
  const wrapped: Buffer[] = []
  for await (const row of metastore.list())
    if (row.keyId === '_SK_crm_shop') wrapped.push(Buffer.from(row.encryptedKey))
  await metastore.close()
  expect(wrapped).toHaveLength(2)
  return wrapped
}

describeService('AWS, over moto', await startMoto(), ({ url, credentials }) => {
  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: 'a secret that nothing may show',
  }
  const regions = ['us-west-2', 'eu-central-1'] as const

  async function newKey(region: string): Promise<string> {
    const client = new KMSClient({ endpoint: url, credentials, region })
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
    client.destroy()
    return KeyMetadata?.Arn ?? ''
  }
  const regionsOf = (wrapped: Buffer): string[] =>
    JSON.parse(wrapped.toString()).kmsKeks.map(({ region }: { readonly region: string }) => region)

  test('aws-kms: one key, by ARN in the config file, and by id with a region as a flag', async () => {
    const arn = await newKey(regions[0])
    for (const wrapped of await cycle({ kms: `aws-kms://${arn}`, env }))
      expect(regionsOf(wrapped)).toEqual([regions[0]])
    const flag = `aws-kms://${arn.split('/')[1]}?region=${regions[0]}`
    for (const wrapped of await cycle({ kms: 'static', env }, '--kms', flag)) {
      expect(regionsOf(wrapped)).toEqual([regions[0]])
    }
  })

  test('aws-kms: a key in each of two regions; either alone decrypts', async () => {
    const arns = [await newKey(regions[0]), await newKey(regions[1])] as const
    const setup = { kms: `aws-kms://${arns.join(',')}`, env }
    for (const wrapped of await cycle(setup)) expect(regionsOf(wrapped).toSorted()).toEqual(regions.toSorted())
    const { run } = folderOf(setup)
    const record = await run(['encrypt', '--record', '--partition', 'acme'], 'secret')
    for (const arn of arns) {
      const back = await run(['decrypt', '--partition', 'acme', '--kms', `aws-kms://${arn}`], record.stdout)
      expect(back.stdout.toString(), back.stderr).toBe('secret')
    }
  })

  test('aws-kms: another key than that of the metastore is a KMS error, with what to check', async () => {
    const { run } = folderOf({ kms: `aws-kms://${await newKey(regions[0])}`, env })
    const record = await run(['encrypt', '--record', '--partition', 'acme'], 'secret')
    const other = `aws-kms://${await newKey(regions[1])}`
    const back = await run(['decrypt', '--partition', 'acme', '--kms', other], record.stdout)
    expect(back).toMatchObject({ code: 1, stderr: expect.stringContaining('check --kms') })
  })

  test('doctor: the KMS and the system key; what lacks a region; another key', async () => {
    const arns = [await newKey(regions[0]), await newKey(regions[1])] as const
    const { run } = folderOf({ kms: `aws-kms://${arns[0]}`, env })
    await run(['encrypt', '--record', '--partition', 'acme'], 'secret')
    const doctor = (...flags: readonly string[]) => run(['doctor', '--key-id', '_SK_crm_shop', ...flags])
    const good = await doctor()
    expect(good).toMatchObject({ code: 0, stderr: '' })
    expect(good.stdout.toString()).toMatch(
      /\nKMS\n {2}pass {2}round trip {2}a new key .*\n {2}pass {2}system key {2}the one of \S+ was unwrapped\n$/,
    )
    const lacks = await doctor('--kms', `aws-kms://${arns.join(',')}`)
    expect(lacks.code).toBe(0)
    expect(lacks.stdout.toString()).toMatch(/warn {2}system key .* lacks eu-central-1: see asherah keys repair\n$/)
    const other = await doctor('--kms', `aws-kms://${arns[1]}`, '--json')
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('the KMS is not fit for use: 1 fail') })
    expect(JSON.parse(other.stdout.toString())).toMatchObject({
      ok: false,
      metastore: { ok: true },
      kms: { ok: false, findings: [{ level: 'pass' }, { level: 'fail', check: 'system key' }] },
    })
  })

  test('a config of the library is a config file of the command: service, product, metastore and KMS', async () => {
    const setup = { kms: 'static', env }
    const { cwd, run } = folderOf(setup)
    const arn = await newKey(regions[0])
    const library = {
      ServiceName: 'crm',
      ProductID: 'shop',
      Metastore: 'sqlite',
      ConnectionString: 'keys.db',
      KMS: 'aws',
      RegionMap: { [regions[0]]: arn },
      ExpireAfter: 86_400,
    }
    writeFileSync(join(cwd, 'program.json'), JSON.stringify(library))
    const record = await run(['encrypt', '--record', '--partition', 'acme', '--config', 'program.json'], 'secret')
    expect(record.code, record.stderr).toBe(0)
    const same = await run(['decrypt', '--partition', 'acme', '--kms', `aws-kms://${arn}`], record.stdout)
    expect(same.stdout.toString(), same.stderr).toBe('secret')
    const listed = await run(['keys', 'list', '--config', 'program.json', '--json'])
    const { createdUnix, expires } = JSON.parse(listed.stdout.toString().split('\n')[0] ?? '')
    expect(Date.parse(expires) / 1_000 - createdUnix).toBe(86_400)
    const mixed = await run(['keys', 'rotate', '--system', '--config', 'program.json', '--master-key-file', 'k'])
    expect(mixed).toMatchObject({ code: 2, stderr: expect.stringContaining("KMS in 'program.json' is another") })
  })

  test('secrets-manager: by name, and by ARN', async () => {
    const client = new SecretsManagerClient({ endpoint: url, credentials, region: regions[0] })
    const Name = `asherah/cli-${process.pid}`
    const { ARN = '' } = await client.send(
      new CreateSecretCommand({ Name, SecretString: randomBytes(32).toString('hex') }),
    )
    client.destroy()
    for (const kms of [`secrets-manager://${Name}?region=${regions[0]}`, `secrets-manager://${ARN}`]) {
      for (const wrapped of await cycle({ kms, env })) expect(wrapped).toHaveLength(60)
    }
  })
})

describe('a fake Vault', async () => {
  const vault = await startFakeVault({ mount: 'team/transit', namespace: 'admin' })
  afterAll(() => vault.close())
  vault.createKey('asherah')
  const address = { VAULT_ADDR: vault.url, VAULT_NAMESPACE: 'admin' }

  test('vault: address, namespace and token from the variables of the vault command', async () => {
    const env = { ...address, VAULT_TOKEN: vault.createToken() }
    for (const wrapped of await cycle({ kms: 'vault://asherah?mount=team/transit', env })) {
      expect(wrapped.toString()).toMatch(/^vault:v1:/)
    }
  })

  test('vault: address and namespace in the setting, a login in the variables', async () => {
    vault.enableLogin('approle', { accepts: ({ secret_id }) => secret_id === 'the secret id' })
    const env = { VAULT_AUTH_METHOD: 'approle', VAULT_APPROLE_ROLE_ID: 'cli', VAULT_APPROLE_SECRET_ID: 'the secret id' }
    const query = new URLSearchParams({ address: vault.url, mount: 'team/transit', namespace: 'admin' })
    await cycle({ kms: `vault://asherah?${query}`, env })
  })

  test('vault: a token that is refused is a KMS error without the token', async () => {
    const { run } = folderOf({
      kms: 'vault://asherah?mount=team/transit',
      env: { ...address, VAULT_TOKEN: 'hvs.wrong' },
    })
    const result = await run(['encrypt', '--record', '--partition', 'acme'], 'secret')
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('check --kms') })
  })
})
