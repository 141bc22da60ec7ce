import { createAwsKms } from '@asherah/kms-aws'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { awsError } from './fake-kms.ts'
import { code, createThreeRegions, parsed, systemKey, type ThreeRegions } from './three-regions.ts'

let fake: ThreeRegions
beforeEach(() => {
  fake = createThreeRegions()
})

describe('which key', () => {
  test('D-084 a single key: its region is its ARN’s, whatever AWS_REGION says', async () => {
    const keyId = fake.createKey('eu-west-1')
    vi.stubEnv('AWS_REGION', 'us-east-1')
    const kms = createAwsKms({ keyId, client: fake.client('eu-west-1') })
    const envelope = await kms.encryptKey(systemKey)
    expect(parsed(envelope).kmsKeks).toMatchObject([{ region: 'eu-west-1', arn: keyId }])
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    vi.unstubAllEnvs()
  })

  test('D-084 a single key without an ARN: its region is the option’s, else the client’s', async () => {
    const arn = fake.createKey('eu-west-1')
    const client = fake.client('eu-west-1')
    const send: typeof client.send = (command: { input: { KeyId?: string | undefined } }, ...rest: unknown[]) => {
      command.input.KeyId = arn
      return Reflect.apply(client.send, client, [command, ...rest])
    }
    const byOption = createAwsKms({ keyId: 'alias/key', region: 'eu-west-1', client: { send } })
    const byClient = createAwsKms({ keyId: 'alias/key', client: { send, config: { region: async () => 'eu-west-1' } } })
    for (const kms of [byOption, byClient]) {
      expect(parsed(await kms.encryptKey(systemKey)).kmsKeks).toMatchObject([{ region: 'eu-west-1', arn }])
    }
    await expect(createAwsKms({ keyId: 'alias/key', client: { send } }).encryptKey(systemKey)).rejects.toMatchObject({
      code: 'ERR_ASHERAH_INVALID_CONFIG',
      message: expect.stringContaining('nothing says in which region'),
    })
  })

  test('a former key of a region still decrypts what it encrypted, and no other does', async () => {
    const envelope = await fake.createKms().encryptKey(systemKey)
    const former = fake.arns['us-west-2'] ?? ''
    const next = { 'us-west-2': fake.createKey('us-west-2') }
    const clients = fake.clients('us-west-2')
    await expect(createAwsKms({ regionMap: next, clients }).decryptKey(envelope)).rejects.toMatchObject({ code })
    const kms = createAwsKms({ regionMap: next, clients, formerKeys: { 'us-west-2': [former] } })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    expect(parsed(await kms.encryptKey(systemKey)).kmsKeks).toMatchObject([{ arn: next['us-west-2'] }])
  })

  test.each<[string, (envelope: string) => string]>([
    ['no ARN', (envelope) => envelope.replaceAll(/"arn":"[^"]*",/g, '')],
    ['the ARN of an alias', (envelope) => envelope.replaceAll(/:key\/[^"]*"/g, ':alias/key"')],
  ])('a former key opens an entry that has %s', async (_, altered) => {
    const envelope = Buffer.from(altered(Buffer.from(await fake.createKms().encryptKey(systemKey)).toString()))
    const kms = createAwsKms({
      regionMap: { 'us-west-2': fake.createKey('us-west-2') },
      clients: fake.clients('us-west-2'),
      formerKeys: { 'us-west-2': [fake.createKey('us-west-2'), fake.arns['us-west-2'] ?? ''] },
    })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    fake.calls.length = 0
    fake.fault = () => awsError('AccessDeniedException')
    await expect(kms.decryptKey(envelope)).rejects.toMatchObject({ code, errors: { length: 1 } })
    expect(fake.log()).toEqual(['Decrypt us-west-2'])
  })

  test('missingRegions: an entry under a key that the region no longer has does not count', async () => {
    const envelope = await fake.createKms().encryptKey(systemKey)
    const regionsOfNext = { ...fake.arns, 'us-east-1': fake.createKey('us-east-1') }
    expect(await fake.createKms().missingRegions(envelope)).toEqual([])
    expect(await fake.createKms({ regionMap: regionsOfNext }).missingRegions(envelope)).toEqual(['us-east-1'])
    const formerKeys = { 'us-east-1': [fake.arns['us-east-1'] ?? ''] }
    expect(await fake.createKms({ regionMap: regionsOfNext, formerKeys }).missingRegions(envelope)).toEqual([])
    const bareIds = { ...fake.arns, 'us-east-1': regionsOfNext['us-east-1'].split('/')[1] ?? '' }
    expect(await fake.createKms({ regionMap: bareIds }).missingRegions(envelope)).toEqual(['us-east-1'])
    // What is behind an alias, or where an entry has no ARN, nobody can tell without KMS.
    expect(
      await fake.createKms({ regionMap: { ...fake.arns, 'us-east-1': 'alias/key' } }).missingRegions(envelope),
    ).toEqual([])
    const withoutArns = Buffer.from(
      Buffer.from(envelope)
        .toString()
        .replaceAll(/"arn":"[^"]*",/g, ''),
    )
    expect(await fake.createKms({ regionMap: regionsOfNext }).missingRegions(withoutArns)).toEqual([])
  })

  test('a multi-region key given by its bare id is known as one', async () => {
    const primary = fake.createKey('us-west-2', 'mrk-1234')
    const replica = fake.createKey('eu-west-1', 'mrk-1234')
    const envelope = await createAwsKms({ keyId: primary, client: fake.client('us-west-2') }).encryptKey(systemKey)
    const client = fake.client('eu-west-1')
    const send: typeof client.send = (command: { input: { KeyId?: string | undefined } }, ...rest: unknown[]) => {
      command.input.KeyId = replica
      return Reflect.apply(client.send, client, [command, ...rest])
    }
    const kms = createAwsKms({ regionMap: { 'eu-west-1': 'mrk-1234' }, clients: { 'eu-west-1': { send } } })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
  })

  test('an envelope without this region opens by a replica of the multi-region key that made another KEK', async () => {
    const map = {
      'us-west-2': fake.createKey('us-west-2', 'mrk-1234'),
      'eu-west-1': fake.createKey('eu-west-1', 'mrk-1234'),
    }
    const alone = { regionMap: { 'us-west-2': map['us-west-2'] }, clients: fake.clients('us-west-2') }
    const envelope = await createAwsKms(alone).encryptKey(systemKey)
    const kms = createAwsKms({
      regionMap: map,
      preferredRegion: 'eu-west-1',
      clients: fake.clients(...Object.keys(map)),
    })
    fake.calls.length = 0
    fake.fault = ({ region }) => (region === 'us-west-2' ? awsError('KMSInternalException', 500) : undefined)
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    expect(fake.log()).toEqual(['Decrypt us-west-2', 'Decrypt eu-west-1'])
  })
})
