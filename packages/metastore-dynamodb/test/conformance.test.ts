import { describeService, metastoreConformance } from '@asherah/testing'
import { type AwsEndpoint, startDynalite, startDynamoDbLocal } from '@asherah/testing/services'
import { attributeOfBody, createTable, type TestTable } from './tables.ts'

function conformance(name: string, endpoint: AwsEndpoint): void {
  const tables: TestTable[] = []
  metastoreConformance({
    name,
    async create() {
      const table = await createTable(endpoint)
      tables.push(table)
      // Smaller than the kit's rows: `list` takes several passes.
      return table.metastore({ listBatchRows: 100 })
    },
    reopen: () => newest().metastore(),
    overwriteBody: (_, { keyId, created }, text) =>
      newest().put({ Id: { S: keyId }, Created: { N: String(created) }, KeyRecord: attributeOfBody(text) }),
    dispose: (metastore) => metastore.close(),
    offers: ['list', 'markRevoked', 'check', 'close'],
    maxCreated: Number.MAX_SAFE_INTEGER,
  })
  const newest = (): TestTable => {
    const table = tables[0]
    if (table === undefined) throw new Error('no table was made yet')
    return table
  }
}

describeService('dynalite', { available: true, origin: 'local', ...(await startDynalite()) }, (endpoint) => {
  conformance('DynamoDB on dynalite', endpoint)
})

describeService('DynamoDB Local', await startDynamoDbLocal(), (endpoint) => {
  conformance('DynamoDB on DynamoDB Local', endpoint)
})
