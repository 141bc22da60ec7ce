import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import {
  type AwsEndpoint,
  type Service,
  startDynamoDbLocal,
  startFakeVault,
  startLocalStack,
  startMariaDb,
  startPostgres,
  startSqlServer,
} from '../../packages/testing/src/services.ts'
import { workspaceRoot } from './workspace.ts'

/** What a snippet finds in its environment, once the servers behind it run. */
export interface SnippetServices {
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

interface Supplier {
  /** A snippet that has this in its text gets what this supplies. */
  readonly wanted: RegExp
  start(): Promise<SnippetServices>
}

const REGION = 'us-east-1'
const SECOND_REGION = 'us-west-2'
const account = { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }

const suppliers: readonly Supplier[] = [
  {
    wanted: /@asherah\/metastore-postgres|POSTGRES_URL/,
    async start() {
      const { details, stop } = here(await startPostgres())
      const { Client } = driver('metastore-postgres', 'pg')
      const client = new Client({ connectionString: details.url })
      await client.connect()
      await client.query(schemaOf('metastore-postgres'))
      await client.end()
      return { env: { POSTGRES_URL: details.url }, stop }
    },
  },
  {
    wanted: /@asherah\/metastore-mysql|MYSQL_URL/,
    async start() {
      const { details, stop } = here(await startMariaDb())
      const { createConnection } = driver('metastore-mysql', 'mysql2/promise')
      const connection = await createConnection(details.url)
      await connection.query(schemaOf('metastore-mysql'))
      await connection.end()
      return { env: { MYSQL_URL: details.url }, stop }
    },
  },
  {
    wanted: /@asherah\/metastore-mssql|SQLSERVER_URL/,
    async start() {
      const { details, stop } = here(await startSqlServer())
      const { host: server, port, user, password, database } = details
      const options = { encrypt: false, trustServerCertificate: true }
      const { ConnectionPool } = driver('metastore-mssql', 'mssql')
      const pool = await new ConnectionPool({ server, port, user, password, database, options }).connect()
      await pool.request().batch(schemaOf('metastore-mssql'))
      await pool.close()
      const url = `sqlserver://${user}:${encodeURIComponent(password)}@${server}:${port};database=${database}`
      return { env: { SQLSERVER_URL: url }, stop }
    },
  },
  {
    wanted: /@asherah\/metastore-dynamodb/,
    async start() {
      const { details, stop } = here(await startDynamoDbLocal())
      return { env: { ...account, AWS_ENDPOINT_URL_DYNAMODB: details.url }, stop }
    },
  },
  {
    wanted: /@asherah\/kms-(aws|secrets-manager)/,
    async start() {
      const { details, stop } = here(await startLocalStack())
      const env = {
        ...account,
        AWS_ENDPOINT_URL_KMS: details.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: details.url,
        KMS_KEY_ARN: await createKmsKey(details, REGION),
        KMS_KEY_ARN_2: await createKmsKey(details, SECOND_REGION),
        MASTER_KEY_SECRET_ID: await createMasterKeySecret(details),
      }
      return { env, stop }
    },
  },
  {
    wanted: /@asherah\/kms-vault/,
    async start() {
      const vault = await startFakeVault()
      vault.createKey('asherah')
      const env = { VAULT_ADDR: vault.url, VAULT_TOKEN: vault.createToken(), VAULT_TRANSIT_KEY: 'asherah' }
      return { env, stop: () => vault.close() }
    },
  },
]

/** Starts what these snippets want, one after the other. */
export async function startSnippetServices(codes: readonly string[]): Promise<SnippetServices> {
  const started: SnippetServices[] = []
  const stop = async (): Promise<void> => {
    for (const service of started.splice(0)) await service.stop()
  }
  let env: Record<string, string> = {}
  try {
    for (const { start } of suppliers.filter(({ wanted }) => codes.some((code) => wanted.test(code)))) {
      const service = await start()
      started.push(service)
      env = { ...env, ...service.env }
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { env, stop }
}

/** The service, or an error that says what it needs: a snippet that is not run proves nothing. */
function here<T>(service: Service<T>): Extract<Service<T>, { available: true }> {
  if (!service.available) throw new Error(`a snippet ${service.reason}`)
  return service
}

/** A driver as the package resolves it: the workspace's root does not depend on it. */
function driver(packageName: string, name: string) {
  return createRequire(join(workspaceRoot, 'packages', packageName, 'package.json'))(name)
}

function schemaOf(packageName: string): string {
  return readFileSync(join(workspaceRoot, 'packages', packageName, 'schema.sql'), 'utf8')
}

async function createKmsKey(endpoint: AwsEndpoint, region: string): Promise<string> {
  const { KeyMetadata } = await aws(endpoint, region, 'kms', 'TrentService.CreateKey', {})
  return String(Object(KeyMetadata).Arn)
}

async function createMasterKeySecret(endpoint: AwsEndpoint): Promise<string> {
  const secret = {
    Name: 'asherah/master-key',
    SecretString: randomBytes(32).toString('hex'),
    ClientRequestToken: randomUUID(),
  }
  const { ARN } = await aws(endpoint, REGION, 'secretsmanager', 'secretsmanager.CreateSecret', secret)
  return String(ARN)
}

/** One call of an AWS API, signed as far as a stand-in looks: it takes the region from there. */
async function aws(
  { url, credentials }: AwsEndpoint,
  region: string,
  service: string,
  target: string,
  body: object,
): Promise<Record<string, unknown>> {
  const scope = `${credentials.accessKeyId}/20260101/${region}/${service}/aws4_request`
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': target,
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
    },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${target} failed: ${response.status} ${await response.text()}`)
  return Object(await response.json())
}
