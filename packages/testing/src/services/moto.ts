import { type AwsEndpoint, awsEndpoint } from './aws-endpoint.ts'
import { freePort, httpAnswers, startChild } from './child.ts'
import { pythonWith } from './python-service.ts'
import { type Running, type Service, startService } from './service.ts'

const MOTO = 'moto[server]==5.2.5'

/**
 * moto: KMS, Secrets Manager, DynamoDB and more, in memory; quick, and less faithful than {@link startLocalStack}: a
 * disabled KMS key works, a wrong `KeyId` is `AccessDenied`, and replicas of a multi-region key cannot read each other.
 *
 * `ASHERAH_TEST_MOTO_URL`, or PyPI's package in a virtual environment of the user's cache folder. POST
 * `/moto-api/reset` empties it.
 */
export function startMoto(): Promise<Service<AwsEndpoint>> {
  return startService({
    name: 'moto',
    variable: 'ASHERAH_TEST_MOTO_URL',
    fromVariable: awsEndpoint,
    startLocal,
  })
}

async function startLocal(): Promise<Running<AwsEndpoint>> {
  const python = await pythonWith('moto', [MOTO])
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = await startChild({
    name: 'moto',
    command: python,
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    ready: () => httpAnswers(`${url}/moto-api/`, [200]),
  })
  return { details: awsEndpoint(url), stop: () => child.stop() }
}
