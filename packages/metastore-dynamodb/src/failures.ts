import { DeadlineError, MetastoreError, redactAccounts, withoutAccounts } from '@asherah/core/backend'
import { ResourceNotFoundException, TransactionConflictException } from '@aws-sdk/client-dynamodb'
import { isServerError, isThrottlingError, isTransientError } from '@smithy/core/retry'

/** What another try may cure: `throttled` wants a longer pause. */
export function retryKind(error: unknown): 'throttled' | 'transient' | undefined {
  // The item is locked for a moment by somebody's transaction; the SDK leaves that to its caller.
  if (error instanceof DeadlineError || error instanceof TransactionConflictException) return 'transient'
  if (!isSdkError(error)) return undefined
  if (isThrottlingError(error)) return 'throttled'
  return isTransientError(error) || isServerError(error) ? 'transient' : undefined
}

/** The SDK's tests read each field with care, whatever error it is. */
function isSdkError(error: unknown): error is Parameters<typeof isTransientError>[0] {
  return error instanceof Error
}

/** How often the SDK itself tried: more than once where the caller's client does its own retries. */
export function sdkAttempts(error: unknown): number {
  const metadata: unknown = error instanceof Error ? Reflect.get(error, '$metadata') : undefined
  const attempts: unknown =
    typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'attempts') : undefined
  return typeof attempts === 'number' ? attempts : 1
}

/**
 * @param what What was tried, such as `store`.
 * @param table `region`: undefined where it is not known yet.
 * @param attempts How often.
 */
export function toMetastoreError(
  what: string,
  { tableName, region }: { readonly tableName: string; readonly region: string | undefined },
  error: unknown,
  attempts: number,
): MetastoreError {
  const tries = Math.max(attempts, sdkAttempts(error))
  const often = tries > 1 ? `, after ${tries} tries` : ''
  // It may be an ARN.
  const table = redactAccounts(tableName)
  return new MetastoreError(`DynamoDB ${what}, table ${table}${often}: ${reasonOf(error, region)}`, {
    cause: withoutAccounts(error),
  })
}

function reasonOf(error: unknown, region: string | undefined): string {
  if (error instanceof ResourceNotFoundException) {
    return `there is no such table in this region and account (${region ?? 'unknown region'}; ResourceNotFoundException)`
  }
  if (!(error instanceof Error)) return 'unknown failure'
  // Of an AggregateError (a host with several addresses) the message is empty.
  const code: unknown = Reflect.get(error, 'code')
  // What follows the first line of a refused signature is the text that was signed, a session token in it.
  const [text = ''] = (error.message === '' && typeof code === 'string' ? code : error.message).split('\n', 1)
  const shown = redactAccounts(text)
  return error instanceof DeadlineError || error.name === 'Error' ? shown : `${error.name}: ${shown}`
}
