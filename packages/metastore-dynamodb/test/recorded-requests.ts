import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { type HttpRequest, HttpResponse } from '@smithy/core/protocols'

/** Where a request of the SDK's went. */
export interface RecordedRequest {
  readonly hostname: string
  /** Such as `GetItem`. */
  readonly action: string | undefined
  readonly signingRegion: string | undefined
  readonly accessKeyId: string | undefined
}

/** A `requestHandler` for `clientConfig` that sends nothing and answers `{}`. */
export function recordRequests(): {
  readonly requests: RecordedRequest[]
  readonly requestHandler: NonNullable<DynamoDBClientConfig['requestHandler']>
} {
  const requests: RecordedRequest[] = []
  return {
    requests,
    requestHandler: {
      async handle(request: HttpRequest) {
        const credential = /Credential=([^/]+)\/\d+\/([^/]+)\/dynamodb/.exec(request.headers.authorization ?? '')
        requests.push({
          hostname: request.hostname,
          action: request.headers['x-amz-target']?.split('.')[1],
          signingRegion: credential?.[2],
          accessKeyId: credential?.[1],
        })
        const body = new TextEncoder().encode('{}')
        return { response: new HttpResponse({ statusCode: 200, headers: {}, body }) }
      },
      updateHttpClientConfig() {},
      httpHandlerConfigs: () => ({}),
    },
  }
}
