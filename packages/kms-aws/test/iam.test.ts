import { readFileSync } from 'node:fs'
import { SessionFactory } from '@asherah/core'
import { createAwsKms } from '@asherah/kms-aws'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { expect, test } from 'vitest'
import { awsError, createFakeKms } from './fake-kms.ts'

const document = readFileSync(new URL('../../../docs/kms-aws.md', import.meta.url), 'utf8')

test('D-082 the documented policy allows the calls of a full cycle in each region, and no others', async () => {
  const regions = ['us-west-2', 'eu-central-1']
  const fake = createFakeKms()
  const regionMap = fake.regionMap(...regions)
  const metastore = createMemoryMetastore()
  for (const preferredRegion of regions) {
    for (const down of [undefined, ...regions]) {
      fake.fault = ({ region }) => (region === down ? awsError('KMSInternalException', 500) : undefined)
      const service = `${preferredRegion}, ${down} down`
      const newFactory = () =>
        new SessionFactory({
          service,
          product: 'product',
          metastore,
          kms: createAwsKms({ regionMap, preferredRegion, clients: fake.clients(...regions) }),
        })
      const record = await newFactory().getSession('partition').encrypt(new Uint8Array(1))
      await newFactory().getSession('partition').decrypt(record)
    }
  }
  const policy: { Statement: { Action: string[]; Resource: string[] }[] } = JSON.parse(
    /```json iam\n(.*?)```/s.exec(document)?.[1] ?? '',
  )
  const allowed = policy.Statement.flatMap(({ Action, Resource }) =>
    Resource.flatMap((arn) => Action.map((action) => `${action} ${arn.split(':')[3]}`)),
  )
  expect([...new Set(fake.log().map((call) => `kms:${call}`))].sort()).toEqual(allowed.sort())
})
