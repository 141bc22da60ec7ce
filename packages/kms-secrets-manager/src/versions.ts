import {
  ClosedError,
  channels,
  DeadlineError,
  InvalidConfigError,
  KmsError,
  redactAccounts,
  type Secret,
  type SecretFactory,
  withDeadline,
  withoutAccounts,
} from '@asherah/core/backend'
import { GetSecretValueCommand, ListSecretVersionIdsCommand } from '@aws-sdk/client-secrets-manager'
import type { SecretsManagerClientLike } from './client.ts'
import { masterKeyFrom } from './master-key.ts'
import type { Settings } from './options.ts'
import { withoutAnswer } from './unreadable.ts'

/** The versions of the secret that have been read, each in a `Secret`. */
export interface MasterKeyVersions {
  /** The current version: read again when `refreshMs` has passed; if that fails, the one at hand is used, with a warning. */
  current(): Promise<Secret>
  /** The versions at hand, the current one first. */
  known(): readonly Secret[]
  /** Reads the current version again, and the former ones. Callers share one search, and for 5 s what came of it. */
  search(): Promise<void>
  close(): void
}

/** A key that nothing opens must not make each call a search. */
const SEARCH_INTERVAL_MS = 5_000
/** A secret has about 100 versions at most, which is one page; a stand-in's may be shorter. */
const MAX_PAGES = 20
/** What Secrets Manager says of one version: deleted since it was listed, not for us, or under a KMS key that is gone. */
const REFUSALS = new Set([
  'AccessDeniedException',
  'DecryptionFailure',
  'InvalidRequestException',
  'ResourceNotFoundException',
])
/** After a refresh that failed. */
const RETRY_MS = 30_000

export function createVersions(
  client: SecretsManagerClientLike,
  secrets: SecretFactory,
  settings: Settings,
): MasterKeyVersions {
  const { secretId, versionStage, refreshMs, timeoutMs, maxFormerVersions } = settings
  const known = new Map<string, Secret>()
  let currentId: string | undefined
  let freshUntil = Number.NEGATIVE_INFINITY
  let refreshing: Promise<Secret> | undefined
  let lastSearch: Promise<void> = Promise.resolve()
  let searchAgainAt = Number.NEGATIVE_INFINITY
  const closing = new AbortController()

  const request = async <T>(
    send: (abortSignal: AbortSignal) => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> => {
    try {
      return await withDeadline(timeoutMs, closing.signal, send, discard)
    } catch (cause) {
      closing.signal.throwIfAborted()
      const why = cause instanceof DeadlineError ? cause.message : await reasonOf(cause)
      const message = `the master key cannot be read from Secrets Manager (${why})`
      throw new KmsError(message, { cause: withoutAccounts(withoutAnswer(cause)) })
    }
  }

  const reasonOf = async (cause: unknown): Promise<string> => {
    if (!(cause instanceof Error)) return 'failed'
    if (cause.name === 'ResourceNotFoundException') {
      const region = settings.region ?? (await client.config?.region().catch(() => undefined))
      const where = region === undefined ? '' : ` in ${region}`
      return `ResourceNotFoundException: no such secret or version, ${JSON.stringify(redactAccounts(secretId))}${where}`
    }
    const code: unknown = Reflect.get(cause, 'code')
    return typeof code === 'string' && /^(Aggregate)?Error$/.test(cause.name) ? code : cause.name
  }

  /** @param versionId default the current one. */
  const read = async (versionId?: string): Promise<{ readonly id: string; readonly secret: Secret }> => {
    const which = versionId === undefined ? { VersionStage: versionStage } : { VersionId: versionId }
    const command = new GetSecretValueCommand({ SecretId: secretId, ...which })
    const value = await request(
      (abortSignal) => client.send(command, { abortSignal }),
      ({ SecretBinary }) => SecretBinary?.fill(0),
    )
    const key = masterKeyFrom(value)
    const id = value.VersionId ?? versionId ?? ''
    const atHand = known.get(id)
    if (closing.signal.aborted || atHand !== undefined) key.fill(0)
    closing.signal.throwIfAborted()
    const secret = atHand ?? secrets.fromBytes(key)
    known.set(id, secret)
    return { id, secret }
  }

  const refresh = (): Promise<Secret> => {
    refreshing ??= read()
      .then(({ id, secret }) => {
        currentId = id
        freshUntil = performance.now() + refreshMs
        return secret
      })
      .finally(() => {
        refreshing = undefined
      })
    return refreshing
  }

  async function searchAll(): Promise<void> {
    let refused: unknown
    // One version that holds something else, or is not given, must not hide the others.
    const tryTo = async (readOne: () => Promise<unknown>): Promise<void> => {
      try {
        await readOne()
      } catch (error) {
        if (error instanceof InvalidConfigError) {
          warn('MASTER_KEY_VERSION_UNUSABLE', 'a version of the secret is no master key', error)
        } else if (error instanceof KmsError && error.cause instanceof Error && REFUSALS.has(error.cause.name)) {
          refused = error
        } else {
          throw error
        }
      }
    }
    await tryTo(refresh)
    for (const id of (await formerIds()).slice(0, maxFormerVersions)) {
      if (!known.has(id)) await tryTo(() => read(id))
    }
    if (refused !== undefined) throw refused
  }

  async function formerIds(): Promise<string[]> {
    const versions: { readonly id: string; readonly created: number }[] = []
    let token: string | undefined
    for (let page = 0; page < MAX_PAGES; page++) {
      const input = { SecretId: secretId, IncludeDeprecated: true, ...(token && { NextToken: token }) }
      const command = new ListSecretVersionIdsCommand(input)
      const { Versions = [], NextToken } = await request((abortSignal) => client.send(command, { abortSignal }))
      for (const { VersionId, CreatedDate } of Versions) {
        if (VersionId !== undefined) versions.push({ id: VersionId, created: CreatedDate?.getTime() ?? 0 })
      }
      token = NextToken
      if (!token) break
    }
    return versions
      .filter(({ id }) => id !== currentId)
      .sort((a, b) => b.created - a.created)
      .map(({ id }) => id)
  }

  return {
    async current() {
      const atHand = known.get(currentId ?? '')
      if (atHand === undefined) return refresh()
      if (performance.now() < freshUntil) return atHand
      try {
        return await refresh()
      } catch (cause) {
        closing.signal.throwIfAborted()
        freshUntil = performance.now() + Math.min(RETRY_MS, refreshMs)
        warn('MASTER_KEY_REFRESH_FAILED', 'the secret cannot be read again: the version at hand is used', cause)
        return atHand
      }
    },
    known() {
      const atHand = known.get(currentId ?? '')
      const others = [...known.values()].filter((secret) => secret !== atHand)
      return atHand === undefined ? others : [atHand, ...others]
    },
    search() {
      if (performance.now() >= searchAgainAt) {
        searchAgainAt = Number.POSITIVE_INFINITY
        lastSearch = searchAll().finally(() => {
          searchAgainAt = performance.now() + SEARCH_INTERVAL_MS
        })
      }
      return lastSearch
    },
    close() {
      closing.abort(new ClosedError('the Secrets Manager KMS is closed'))
      for (const secret of known.values()) secret.close()
      known.clear()
    },
  }
}

function warn(code: string, message: string, cause: unknown): void {
  channels.warning.publish({ code, message, cause })
}
