import type { AwsEndpoint } from '@asherah/testing/services'
import {
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DisableKeyCommand,
  KMSClient,
  ReplicateKeyCommand,
} from '@aws-sdk/client-kms'

/** What the tests do to a stand-in's keys, beside what the package does. */
export interface AwsAdmin {
  /** @returns the new key's ARN. */
  createKey(region: string, input?: CreateKeyCommandInput): Promise<string>
  /** Makes a replica of a multi-region key. @returns its ARN. */
  replicateKey(arn: string, region: string): Promise<string>
  disableKey(arn: string): Promise<void>
}

export function awsAdmin({ url, credentials }: AwsEndpoint): AwsAdmin {
  const client = (region: string) => new KMSClient({ endpoint: url, credentials, region })
  const regionOf = (arn: string) => arn.split(':')[3] ?? ''
  return {
    async createKey(region, input = {}) {
      const { KeyMetadata } = await client(region).send(new CreateKeyCommand(input))
      return KeyMetadata?.Arn ?? ''
    },
    async replicateKey(arn, region) {
      await client(regionOf(arn)).send(new ReplicateKeyCommand({ KeyId: arn, ReplicaRegion: region }))
      return arn.replace(regionOf(arn), region)
    },
    async disableKey(arn) {
      await client(regionOf(arn)).send(new DisableKeyCommand({ KeyId: arn }))
    },
  }
}
