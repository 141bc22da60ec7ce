import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AwsEndpoint, awsEndpoint } from './aws-endpoint.ts'
import { preparedFolder } from './cache-dir.ts'
import { freePort, httpAnswers, startChild } from './child.ts'
import { runTool, type ToolRun } from './run-tool.ts'
import { type Running, type Service, ServiceUnavailableError, startService } from './service.ts'

const VERSION = '2.6.1'
const MAIN_CLASS = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner'
/** 51 MB of jars. */
const DOWNLOAD_TIMEOUT_MS = 300_000

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>asherah.testing</groupId>
  <artifactId>dynamodb-local</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`

/**
 * DynamoDB Local, AWS's own stand-in, in memory. It keeps the tables of each access key and region apart.
 *
 * `ASHERAH_TEST_DYNAMODB_URL`, a container, or the jars of Maven Central in the user's cache folder, with this machine's
 * Java (17 or newer) and Maven. It listens on all interfaces: it has no option for one.
 */
export function startDynamoDbLocal(): Promise<Service<AwsEndpoint>> {
  return startService({
    name: 'DynamoDB Local',
    variable: 'ASHERAH_TEST_DYNAMODB_URL',
    fromVariable: awsEndpoint,
    startContainer,
    startLocal,
  })
}

async function startContainer(): Promise<Running<AwsEndpoint>> {
  const { GenericContainer } = await import('testcontainers')
  const container = await new GenericContainer(`amazon/dynamodb-local:${VERSION}`)
    .withCommand(['-jar', 'DynamoDBLocal.jar', '-inMemory', '-disableTelemetry'])
    .withExposedPorts(8000)
    .start()
  const url = `http://${container.getHost()}:${container.getMappedPort(8000)}`
  return { details: awsEndpoint(url), stop: async () => void (await container.stop()) }
}

async function startLocal(): Promise<Running<AwsEndpoint>> {
  const java = need('java', await runTool('java', ['-version']))
  const release = Number(/version "(\d+)/.exec(java)?.[1])
  if (!(release >= 17)) throw new ServiceUnavailableError(`java is ${release}, and 17 or newer is needed`)
  const folder = await preparedFolder('dynamodb-local', [POM], async (draft) => {
    writeFileSync(join(draft, 'pom.xml'), POM)
    const jars = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=lib']
    const maven = process.platform === 'win32' ? 'mvn.cmd' : 'mvn'
    need('mvn', await runTool(maven, jars, { cwd: draft, timeoutMs: DOWNLOAD_TIMEOUT_MS }))
  })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const server = ['-cp', join(folder, 'lib', '*'), MAIN_CLASS, '-inMemory', '-disableTelemetry', '-port', String(port)]
  const child = await startChild({
    name: 'dynamodb-local',
    command: 'java',
    args: [...flags, ...server],
    // It answers a request that is not signed with 400.
    ready: () => httpAnswers(`${url}/`, [400]),
  })
  return { details: awsEndpoint(url), stop: () => child.stop() }
}

function need(name: string, run: ToolRun): string {
  if (run.status === 'missing') throw new ServiceUnavailableError(`${name} is not on the PATH`)
  if (run.status === 'failed') throw new ServiceUnavailableError(`${name} failed: ${run.output.slice(-1_000)}`)
  return run.output
}
