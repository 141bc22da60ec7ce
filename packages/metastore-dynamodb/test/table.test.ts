import type { MetastoreReport } from '@asherah/core/backend'
import { describeService } from '@asherah/testing'
import { startDynamoDbLocal, startHttpFaultProxy } from '@asherah/testing/services'
import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTable, type TestTable } from './tables.ts'

const created = 1_795_251_360

describeService('the table', await startDynamoDbLocal(), (endpoint) => {
  let table: TestTable
  beforeAll(async () => {
    table = await createTable(endpoint)
  })
  afterAll(() => table.drop())

  describe('createTable', () => {
    test('makes the table of the wire format, on demand, protected; a second time it leaves it as it is', async () => {
      const tableName = 'Made-here'
      await using metastore = table.metastore({ tableName })
      expect(await metastore.createTable({ tags: { team: 'security' } })).toBe(true)
      const describe = async () => (await table.client.send(new DescribeTableCommand({ TableName: tableName }))).Table
      const made = await describe()
      expect(made?.KeySchema).toEqual([
        { AttributeName: 'Id', KeyType: 'HASH' },
        { AttributeName: 'Created', KeyType: 'RANGE' },
      ])
      expect(made?.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST')
      expect(made?.DeletionProtectionEnabled).toBe(true)
      expect(await metastore.createTable({ deletionProtection: false })).toBe(false)
      expect(await describe()).toEqual(made)
    })

    test('refuses options that it does not know', async () => {
      await using metastore = table.metastore()
      const options = { tags: {}, deletionprotection: true }
      await expect(metastore.createTable(options)).rejects.toThrow(/did you mean deletionProtection\?/)
    })

    test('a missing right is a MetastoreError', async () => {
      const proxy = await startHttpFaultProxy(endpoint.url)
      proxy.setFault({ kind: 'awsError', type: 'AccessDeniedException' })
      await using metastore = table.metastore({ endpoint: proxy.url })
      await expect(metastore.createTable()).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
      await proxy.close()
    })

    test('an abort ends the wait for the table', async () => {
      const proxy = await startHttpFaultProxy(endpoint.url)
      const controller = new AbortController()
      proxy.setFault(({ headers }) => {
        if (!String(headers['x-amz-target']).endsWith('.DescribeTable')) return undefined
        setTimeout(() => controller.abort(new Error('enough')), 10)
        const body = JSON.stringify({ Table: { TableStatus: 'CREATING' } })
        return { kind: 'status', status: 200, body, headers: { 'content-type': 'application/x-amz-json-1.0' } }
      })
      await using metastore = table.metastore({ endpoint: proxy.url })
      await expect(metastore.createTable({ signal: controller.signal })).rejects.toMatchObject({
        code: 'ERR_ASHERAH_ABORTED',
        cause: { message: 'enough' },
      })
      await proxy.close()
    })
  })

  describe('check', () => {
    const levels = (report: MetastoreReport) => report.findings.map(({ level, check }) => `${level} ${check}`)

    test('a table that is missing fails', async () => {
      await using metastore = table.metastore({ tableName: 'Missing' })
      const report = await metastore.check()
      expect(report.ok).toBe(false)
      expect(report.findings[0]?.message).toMatch(/there is no such table/)
      expect(levels(report)).toEqual(['fail table'])
    })

    test('a table with another key fails, and its rows are not read', async () => {
      const TableName = 'Other-key'
      await table.client.send(
        new CreateTableCommand({
          TableName,
          AttributeDefinitions: [
            { AttributeName: 'Id', AttributeType: 'S' },
            { AttributeName: 'Created', AttributeType: 'S' },
          ],
          KeySchema: [
            { AttributeName: 'Id', KeyType: 'HASH' },
            { AttributeName: 'Created', KeyType: 'RANGE' },
          ],
          BillingMode: 'PAY_PER_REQUEST',
        }),
      )
      await using metastore = table.metastore({ tableName: TableName })
      const report = await metastore.check()
      expect(report.ok).toBe(false)
      expect(report.findings.find(({ level }) => level === 'fail')?.message).toBe(
        'the primary key is Id (S, HASH), Created (S, RANGE), and must be Id (S, HASH), Created (N, RANGE)',
      )
      expect(levels(report)).not.toContain('pass rows')
      await table.client.send(new DeleteTableCommand({ TableName }))
    })

    test('D-056 each row that cannot be read is named, up to 100', async () => {
      const own = await createTable(endpoint)
      for (let i = 0; i < 102; i++) await own.put({ Id: { S: `_SK_bad_${i}` }, Created: { N: String(created) } })
      const report = await own.metastore().check()
      const bad = report.findings.filter(({ check }) => check === 'rows').map(({ message }) => message)
      expect(report.ok).toBe(false)
      expect(bad).toHaveLength(101)
      expect(bad[0]).toMatch(/^the item of "_SK_bad_\d+", created 1795251360: KeyRecord is missing$/)
      expect(bad[100]).toBe('and 2 more rows that cannot be read')
      await own.drop()
    })

    test('time to live on is warned of, and fails where it takes keys by their age', async () => {
      const own = await createTable(endpoint)
      for (const [AttributeName, expected] of [
        ['Expires', 'warn ttl'],
        ['Created', 'fail ttl'],
      ] as const) {
        const TimeToLiveSpecification = { AttributeName, Enabled: true }
        await own.client.send(new UpdateTimeToLiveCommand({ TableName: own.tableName, TimeToLiveSpecification }))
        expect(levels(await own.metastore().check())).toContain(expected)
        const off = { AttributeName, Enabled: false }
        await own.client.send(new UpdateTimeToLiveCommand({ TableName: own.tableName, TimeToLiveSpecification: off }))
      }
      expect(levels(await own.metastore().check())).toContain('pass ttl')
      await own.drop()
    })

    test('with an application’s rights it warns of what it could not look at, and goes on', async () => {
      const proxy = await startHttpFaultProxy(endpoint.url)
      let allowed = /\.(GetItem|PutItem|Query)$/
      proxy.setFault(({ headers }) =>
        allowed.test(String(headers['x-amz-target'])) ? undefined : { kind: 'awsError', type: 'AccessDeniedException' },
      )
      await using metastore = table.metastore({ endpoint: proxy.url })
      const report = await metastore.check({ keyId: '_SK_none' })
      expect(report.ok).toBe(true)
      expect(levels(report)).toEqual(['warn table', 'warn ttl', 'warn rows', 'warn latest'])
      expect(report.findings[2]?.message).toBe('dynamodb:Scan is not allowed: this was not looked at')
      allowed = /^$/
      expect((await metastore.check({ keyId: '_SK_none' })).ok).toBe(false)
      await proxy.close()
    })

    test.each([
      ['a global table without suffixes is warned of', {}, {}, 'warn replicas'],
      ['a global table with suffixes passes', { regionSuffix: true }, {}, 'pass replicas'],
      ['so does one that is strongly consistent', {}, { MultiRegionConsistency: 'STRONG' }, 'pass replicas'],
    ])('%s', async (_, options, extra, expected) => {
      const proxy = await startHttpFaultProxy(endpoint.url)
      const described = await table.client.send(new DescribeTableCommand({ TableName: table.tableName }))
      const Replicas = [{ RegionName: 'us-east-1' }, { RegionName: 'eu-west-1' }]
      const { CreationDateTime, BillingModeSummary, ProvisionedThroughput, ...rest } = described.Table ?? {}
      proxy.setFault(({ headers }) => {
        if (!String(headers['x-amz-target']).endsWith('.DescribeTable')) return undefined
        const body = JSON.stringify({ Table: { ...rest, Replicas, ...extra } })
        return { kind: 'status', status: 200, body, headers: { 'content-type': 'application/x-amz-json-1.0' } }
      })
      await using metastore = table.metastore({ endpoint: proxy.url, ...options })
      expect(levels(await metastore.check())).toContain(expected)
      await proxy.close()
    })
  })

  test('markRevoked leaves what it does not know, and never makes a row', async () => {
    await using metastore = table.metastore()
    const item = {
      Id: { S: '_SK_extra' },
      Created: { N: String(created) },
      Extra: { SS: ['a'] },
      KeyRecord: { M: { Created: { N: String(created) }, Key: { S: 'AAAA' }, More: { N: '1' } } },
    }
    await table.put(item)
    expect(await metastore.markRevoked('_SK_extra', created)).toBe(true)
    const after = (await table.items()).find(({ Id }) => Id?.S === '_SK_extra')
    expect(after).toEqual({ ...item, KeyRecord: { M: { ...item.KeyRecord.M, Revoked: { BOOL: true } } } })
    expect(await metastore.markRevoked('_SK_extra', created + 1)).toBe(false)
  })

  test('D-056 markRevoked of a row without a key is a CorruptRecordError', async () => {
    await using metastore = table.metastore()
    await table.put({ Id: { S: '_SK_no_record' }, Created: { N: String(created) } })
    await expect(metastore.markRevoked('_SK_no_record', created)).rejects.toMatchObject({
      code: 'ERR_ASHERAH_CORRUPT_RECORD',
    })
    await expect(
      metastore.store('_SK_no_record', created, {
        keyId: '_SK_no_record',
        created,
        encryptedKey: new Uint8Array(60),
        revoked: false,
      }),
    ).resolves.toBe(false)
  })

  test('list reads a table of several of DynamoDB’s pages, in several passes, each row once and in order', async () => {
    const own = await createTable(endpoint)
    const encryptedKey = new Uint8Array(12_000)
    const ids = Array.from({ length: 230 }, (_, i) => `_IK_${(i * 7919) % 230}_s_p`)
    await using metastore = own.metastore({ listBatchRows: 100 })
    await Promise.all(
      ids.map((keyId) => metastore.store(keyId, created, { keyId, created, encryptedKey, revoked: false })),
    )
    const listed: string[] = []
    for await (const row of metastore.list()) listed.push(row.keyId)
    expect(listed).toEqual(ids.toSorted())
    await own.drop()
  })
})
