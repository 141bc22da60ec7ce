import type { SecretsManagerClientLike, SendOptions } from '@asherah/kms-secrets-manager'
import { GetSecretValueCommand, ListSecretVersionIdsCommand } from '@aws-sdk/client-secrets-manager'

/** The value of one version. */
export type Value = { readonly SecretString: string } | { readonly SecretBinary: Uint8Array }

/** One secret in memory, with its versions. */
export interface FakeSecret {
  readonly client: SecretsManagerClientLike
  /** `get <version or stage>` and `list`. */
  readonly calls: string[]
  /** The SecretBinary of each answer, to see that it is wiped. */
  readonly handedOut: Uint8Array[]
  /** `late` answers after the signal was aborted. */
  fault: (call: string) => Error | 'hang' | 'late' | Promise<void> | undefined
  /** Makes a version and the current one of it. */
  rotate(value: Value): void
}

export function createFakeSecret(first: Value): FakeSecret {
  const versions: Value[] = [first]
  const fake: FakeSecret = {
    calls: [],
    handedOut: [],
    fault: () => undefined,
    rotate: (value) => void versions.push(value),
    client: {
      send: (command: unknown, options?: SendOptions) => send(command, options),
    },
  }

  async function send(command: unknown, options?: SendOptions) {
    if (command instanceof GetSecretValueCommand) {
      const { VersionId, VersionStage } = command.input
      await arrive(`get ${VersionId ?? VersionStage}`, options)
      const index = VersionId === undefined ? versions.length - 1 : Number(VersionId.slice(1))
      const value = versions[index]
      if (value === undefined) throw new Error('no such version')
      const answer = 'SecretBinary' in value ? { SecretBinary: Uint8Array.from(value.SecretBinary) } : value
      if ('SecretBinary' in answer) fake.handedOut.push(answer.SecretBinary)
      return { $metadata: {}, VersionId: `v${index}`, ...answer }
    }
    if (command instanceof ListSecretVersionIdsCommand) {
      await arrive('list', options)
      // Two to a page.
      const from = Number(command.input.NextToken ?? 0)
      const page = versions
        .map((_, i) => ({ VersionId: `v${i}`, CreatedDate: new Date(i * 1_000) }))
        .slice(from, from + 2)
      return { $metadata: {}, Versions: page, ...(from + 2 < versions.length && { NextToken: String(from + 2) }) }
    }
    throw new Error('a call that the package should not make')
  }

  async function arrive(call: string, options?: SendOptions): Promise<void> {
    fake.calls.push(call)
    const fault = fake.fault(call)
    if (fault instanceof Error) throw fault
    if (fault instanceof Promise) await fault
    if (fault === 'hang') await new Promise(() => {})
    if (fault === 'late') await new Promise((resolve) => options?.abortSignal?.addEventListener('abort', resolve))
  }
  return fake
}
