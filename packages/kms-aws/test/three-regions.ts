import { type AwsKms, type AwsKmsRegionsOptions, createAwsKms } from '@asherah/kms-aws'
import { awsError, createFakeKms, type FakeKms } from './fake-kms.ts'

export const REGIONS: readonly string[] = ['us-west-2', 'us-east-1', 'eu-west-1']
export const systemKey: Uint8Array = new Uint8Array(32).map((_, i) => i)
/** Of a KmsError. */
export const code = 'ERR_ASHERAH_KMS'

/** AWS KMS in memory with a key in each of {@link REGIONS}. */
export interface ThreeRegions extends FakeKms {
  /** The key of each region. */
  readonly arns: Readonly<Record<string, string>>
  /** A KMS over the three regions, which prefers `us-west-2`. */
  createKms(options?: Partial<AwsKmsRegionsOptions>): AwsKms
  /** From now on every call in these regions fails, and no other. */
  failIn(...regions: readonly string[]): void
}

export function createThreeRegions(): ThreeRegions {
  const fake = createFakeKms()
  const arns = fake.regionMap(...REGIONS)
  return Object.assign(fake, {
    arns,
    createKms: (options: Partial<AwsKmsRegionsOptions> = {}) =>
      createAwsKms({ regionMap: arns, preferredRegion: 'us-west-2', clients: fake.clients(...REGIONS), ...options }),
    failIn(...regions: readonly string[]) {
      fake.fault = ({ region }) => (regions.includes(region) ? awsError('KMSInternalException', 500) : undefined)
    },
  })
}

/** The JSON of an envelope. */
export function parsed(envelope: Uint8Array): {
  encryptedKey: string
  kmsKeks: { region: string; arn: string; encryptedKek: string }[]
} {
  return JSON.parse(Buffer.from(envelope).toString())
}

/** The regions that an envelope has a KEK of. */
export const regionsOf = (envelope: Uint8Array): string[] => parsed(envelope).kmsKeks.map((kek) => kek.region)
