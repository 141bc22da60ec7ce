import { join } from 'node:path'
import { SessionFactory } from '@asherah/core'
import { createAwsKms } from '@asherah/kms-aws'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { describeService } from '@asherah/testing'
import { startMoto } from '@asherah/testing/services'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { expect, test, vi } from 'vitest'
import { runCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// Each test starts processes, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

const id = '_SK_crm_shop'
const regions = ['us-west-2', 'eu-west-1'] as const

describeService('keys repair, over moto', await startMoto(), ({ url, credentials }) => {
  async function newKey(region: string): Promise<string> {
    const client = new KMSClient({ endpoint: url, credentials, region })
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
    client.destroy()
    return KeyMetadata?.Arn ?? ''
  }

  /** A metastore with one record under a system key of the first region alone. */
  async function setting() {
    const cwd = tempFolder()
    const arns = [await newKey(regions[0]), await newKey(regions[1])] as const
    const metastore = createSqliteMetastore({ path: join(cwd, 'keys.db') })
    const factoryOf = (keyId: string) =>
      new SessionFactory({
        service: 'crm',
        product: 'shop',
        metastore,
        kms: createAwsKms({ keyId, endpoint: url, credentials }),
      })
    const clockBack = vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 120_000)
    const record = await factoryOf(arns[0]).getSession('acme').encrypt(Buffer.from('secret'))
    clockBack.mockRestore()
    const repair = (...more: readonly string[]) =>
      runCli(['keys', 'repair', ...more], {
        cwd,
        env: {
          ASHERAH_KMS: `aws-kms://${arns.join(',')}`,
          ASHERAH_METASTORE: 'sqlite://keys.db',
          ASHERAH_SERVICE: 'crm',
          ASHERAH_PRODUCT: 'shop',
          AWS_ENDPOINT_URL_KMS: url,
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        },
      })
    const systemKeys = async () => {
      const rows = []
      for await (const row of metastore.list()) if (row.keyId === id) rows.push(row)
      return rows
    }
    return { arns, metastore, factoryOf, record, repair, systemKeys }
  }

  test('--dry-run says what is missing; repair adds one row and alters none; a second run has nothing to do', async () => {
    const { arns, metastore, factoryOf, record, repair, systemKeys } = await setting()
    const [before] = await systemKeys()

    const dry = await repair('--dry-run', '--json')
    expect(dry.code, dry.stderr).toBe(0)
    expect(JSON.parse(dry.stdout.toString())).toMatchObject({ id, missing: ['eu-west-1'], repaired: null })
    expect(await systemKeys()).toEqual([before])

    const done = await repair()
    expect(done.code, done.stderr).toBe(0)
    expect(done.stdout.toString()).toMatch(
      /^_SK_crm_shop .* lacks eu-west-1\n_SK_crm_shop .* new, with every region\n$/,
    )
    const [old, made] = await systemKeys()
    expect(old).toEqual(before)
    expect(made?.created).toBeGreaterThan(before?.created ?? 0)

    const again = await repair()
    expect(again.stdout.toString()).toMatch(/^_SK_crm_shop .* has every region\n$/)
    expect(await systemKeys()).toHaveLength(2)

    // The other region alone opens what is written now; the first one still opens what was written before.
    const elsewhere = await factoryOf(arns[0]).getSession('new partition').encrypt(Buffer.from('later'))
    expect(Buffer.from(await factoryOf(arns[1]).getSession('new partition').decrypt(elsewhere)).toString()).toBe(
      'later',
    )
    expect(Buffer.from(await factoryOf(arns[0]).getSession('acme').decrypt(record)).toString()).toBe('secret')
    await metastore.close()
  })

  test('a region that cannot be reached: no row is made', async () => {
    const { arns, metastore, repair, systemKeys } = await setting()
    const gone = 'arn:aws:kms:ap-south-1:123456789012:key/00000000-0000-0000-0000-000000000000'
    const result = await repair('--kms', `aws-kms://${[...arns, gone].join(',')}`)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('2 of 3 regions') })
    expect(await systemKeys()).toHaveLength(1)
    await metastore.close()
  })

  test.each([
    [['--kms', 'static'], 'keys repair is for AWS regions'],
    [['--kms', 'aws-kms://x,y'], 'several keys must be ARNs'],
    [['--service', 'other'], "has no system key '_SK_other_shop'"],
  ])('%j: refused', async (more, message) => {
    const { metastore, repair } = await setting()
    const result = await repair(...more)
    expect(result.code).not.toBe(0)
    expect(result.stderr).toContain(message)
    await metastore.close()
  })
})
