import type { KmsRegionEvent } from '@asherah/kms-aws'
import { expect, test } from 'vitest'
import { classify } from '../src/classify.ts'
import { awsError } from './fake-kms.ts'

test.each<[string, number | undefined, KmsRegionEvent['outcome']]>([
  ['AccessDeniedException', 400, 'terminal'],
  ['DisabledException', 400, 'terminal'],
  ['KMSInvalidStateException', 400, 'terminal'],
  ['KMSInvalidStateException', 409, 'terminal'],
  ['IncorrectKeyException', 400, 'terminal'],
  ['InvalidCiphertextException', 400, 'terminal'],
  ['InvalidKeyUsageException', 400, 'terminal'],
  ['InvalidGrantTokenException', 400, 'terminal'],
  ['NotFoundException', 400, 'terminal'],
  ['ExpiredTokenException', 400, 'terminal'],
  ['UnrecognizedClientException', 400, 'terminal'],
  ['InvalidSignatureException', 400, 'terminal'],
  ['CredentialsProviderError', undefined, 'terminal'],
  ['KeyUnavailableException', 500, 'transient'],
  ['KMSInternalException', 500, 'transient'],
  ['DependencyTimeoutException', 503, 'transient'],
  ['ThrottlingException', 400, 'transient'],
  ['LimitExceededException', 400, 'transient'],
  ['RequestLimitExceeded', 400, 'transient'],
  ['RequestTimeout', 400, 'transient'],
  ['RequestTimeoutException', 408, 'transient'],
  ['anything', 408, 'transient'],
  ['anything', 429, 'transient'],
  ['TimeoutError', undefined, 'transient'],
])('D-075 %s, status %s, is %s', (name, status, outcome) => {
  expect(classify(awsError(name, status ?? 0))).toBe(outcome)
})
