import { SEEDED_SECRET } from '../seeded-markers.ts'

/** How to reach a stand-in for AWS, which serves every region. */
export interface AwsEndpoint {
  /** Such as `http://127.0.0.1:4566`. */
  readonly url: string
  /** Any will do for a stand-in; a real account's are not used. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** An endpoint with credentials that only a stand-in takes. */
export function awsEndpoint(url: string): AwsEndpoint {
  return { url, credentials: { accessKeyId: 'test', secretAccessKey: SEEDED_SECRET } }
}
