/// <reference path="./dynalite-module.d.ts" />
import { type AwsEndpoint, awsEndpoint } from './aws-endpoint.ts'
import type { Running } from './service.ts'

/**
 * dynalite: DynamoDB in this process, in milliseconds, for quick tests. It knows neither regions nor accounts nor
 * transactions, and is less faithful than {@link startDynamoDbLocal}.
 */
export async function startDynalite(): Promise<Running<AwsEndpoint>> {
  const { default: dynalite } = await import('dynalite')
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0 })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('dynalite listens on no TCP port')
  return {
    details: awsEndpoint(`http://127.0.0.1:${address.port}`),
    stop: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
        server.closeAllConnections()
      }),
  }
}
