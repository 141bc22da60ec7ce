import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AwsEndpoint, awsEndpoint } from './aws-endpoint.ts'
import { freePort, httpAnswers, startChild } from './child.ts'
import { pythonWith } from './python-service.ts'
import { type Running, type Service, startService } from './service.ts'

const VERSION = '4.9.2'
/** Newer releases of these do not work with LocalStack 4.9. */
const PACKAGES = [
  `localstack-core[runtime]==${VERSION}`,
  'cbor2<5.8',
  'pyopenssl<25.4',
  'service_identity',
  'cryptography<47',
]
const SERVICES = 'kms,secretsmanager'
const PORT = 4_566

/**
 * LocalStack with KMS and Secrets Manager: disabled keys, wrong keys, multi-region keys and regions behave as in AWS.
 * Its DynamoDB does not work offline.
 *
 * `ASHERAH_TEST_LOCALSTACK_URL`, then a container, then PyPI's package on Python 3.11.
 */
export function startLocalStack(): Promise<Service<AwsEndpoint>> {
  return startService({
    name: 'LocalStack',
    variable: 'ASHERAH_TEST_LOCALSTACK_URL',
    fromVariable: awsEndpoint,
    startContainer,
    startLocal,
  })
}

async function startContainer(): Promise<Running<AwsEndpoint>> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer(`localstack/localstack:${VERSION}`)
    .withEnvironment({ SERVICES })
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp('/_localstack/health', PORT))
    .start()
  const url = `http://${container.getHost()}:${container.getMappedPort(PORT)}`
  return {
    details: awsEndpoint(url),
    stop: async () => {
      await container.stop()
    },
  }
}

async function startLocal(): Promise<Running<AwsEndpoint>> {
  const python = await pythonWith('localstack', PACKAGES, '3.11')
  const folder = mkdtempSync(join(tmpdir(), 'asherah-localstack-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = await startChild({
    name: 'localstack',
    command: python,
    args: ['-m', 'localstack.runtime.main'],
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      OVERRIDE_IN_DOCKER: '0',
      FILESYSTEM_ROOT: folder,
      XDG_CACHE_HOME: folder,
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      SERVICES,
      STRICT_SERVICE_LOADING: '1',
      DISABLE_EVENTS: '1',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      DNS_ADDRESS: '0',
    },
    ready: () => httpAnswers(`${url}/_localstack/health`, [200]),
  })
  return {
    details: awsEndpoint(url),
    stop: async () => {
      await child.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
