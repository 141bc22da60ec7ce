import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describeService } from '@asherah/testing'
import { type AwsEndpoint, startDynamoDbLocal, startHttpFaultProxy } from '@asherah/testing/services'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { expect, test } from 'vitest'
import { createDynamoDbMetastore } from '../src/index.ts'
import { decryptOnce, encryptOnce, factoryOf } from './regions.ts'

const documentation = new URL('../../../docs/metastore-dynamodb.md', import.meta.url)

interface Statement {
  readonly Effect: string
  readonly Action: readonly string[]
  readonly Resource: string
}

/** The policy under a heading of the documentation: a `json` block that can be pasted into IAM. */
function documentedPolicy(heading: string): Statement {
  const section = readFileSync(documentation, 'utf8').split(`\n### ${heading}\n`)[1] ?? ''
  const text = /^```json\n([\s\S]*?)^```$/m.exec(section)?.[1] ?? ''
  const policy: { Version: string; Statement: Statement[] } = JSON.parse(text)
  expect(policy.Version).toBe('2012-10-17')
  expect(policy.Statement).toHaveLength(1)
  const [statement] = policy.Statement
  if (statement === undefined) throw new Error('no statement')
  return statement
}

/** A client that notes the action of each request, as IAM names it. */
function recordingClient({ url, credentials }: AwsEndpoint) {
  const actions = new Set<string>()
  const client = new DynamoDBClient({ endpoint: url, credentials, region: 'eu-west-1' })
  client.middlewareStack.add(
    (next, context) => (args) => {
      actions.add(`dynamodb:${String(context.commandName).replace(/Command$/, '')}`)
      return next(args)
    },
    { step: 'initialize', name: 'recordActions' },
  )
  return { client, actions: () => [...actions].toSorted() }
}

describeService('D-082 the documented IAM policies are what is called', await startDynamoDbLocal(), (endpoint) => {
  const tableName = 'EncryptionKey'
  const table = 'arn:aws:dynamodb:*:123456789012:table/EncryptionKey'

  test('set-up: createTable, with tags', async () => {
    const { client, actions } = recordingClient(endpoint)
    await using metastore = createDynamoDbMetastore({ client, tableName })
    expect(await metastore.createTable({ deletionProtection: false })).toBe(true)
    const { Effect, Action, Resource } = documentedPolicy('Set-up')
    expect({ Effect, Resource }).toEqual({ Effect: 'Allow', Resource: table })
    // Tags are part of CreateTable; IAM asks for a second permission.
    expect(Action.toSorted()).toEqual([...actions(), 'dynamodb:TagResource'].toSorted())
    client.destroy()
  })

  test('application: first keys, decryption, rotation, a race, a lost answer, recovery', async () => {
    const proxy = await startHttpFaultProxy(endpoint.url)
    const { client, actions } = recordingClient({ ...endpoint, url: proxy.url })
    const metastore = createDynamoDbMetastore({ client, tableName, region: 'eu-west-1', regionSuffix: true })
    const recovery = { recoveryRegionSuffixes: ['us-east-1'], selfHealRecoveredKeys: true }
    const record = await encryptOnce(metastore, 'x', recovery)
    expect(await decryptOnce(metastore, record, recovery)).toBe('x')
    const later = { clock: { now: () => Date.parse('2040-01-01'), monotonicMs: () => performance.now() } }
    const rotated = await encryptOnce(metastore, 'y', { ...recovery, ...later })
    expect(await decryptOnce(metastore, rotated, { ...recovery, ...later })).toBe('y')
    await using factory = factoryOf(metastore)
    const sessions = Array.from({ length: 5 }, () => factory.getSession('raced'))
    await Promise.all(sessions.map((session) => session.encrypt(randomBytes(1))))
    let dropped = false
    proxy.setFault(({ headers }) => {
      if (dropped || !String(headers['x-amz-target']).endsWith('.PutItem')) return undefined
      dropped = true
      return { kind: 'dropAnswer' }
    })
    await encryptOnce(metastore, 'z', recovery, 'lost-answer')
    expect(dropped).toBe(true)
    const { Effect, Action, Resource } = documentedPolicy('Application')
    expect({ Effect, Resource }).toEqual({ Effect: 'Allow', Resource: table })
    expect(Action.toSorted()).toEqual(actions())
    client.destroy()
    await proxy.close()
  })

  test('operator: list, check, markRevoked', async () => {
    const { client, actions } = recordingClient(endpoint)
    await using metastore = createDynamoDbMetastore({ client, tableName })
    for await (const row of metastore.list()) {
      expect(await metastore.markRevoked(row.keyId, row.created)).toBe(true)
      expect((await metastore.check({ keyId: row.keyId })).ok).toBe(true)
    }
    expect(await metastore.markRevoked('_SK_none', 1)).toBe(false)
    const { Effect, Action, Resource } = documentedPolicy('Operator')
    expect({ Effect, Resource }).toEqual({ Effect: 'Allow', Resource: table })
    expect(Action.toSorted()).toEqual(actions())
    client.destroy()
  })
})
