import {
  type Backends,
  type ConfiguredFactory,
  createFactoryOver,
  type LoadPackage,
  openBackends,
  type Plan,
} from '@asherah/config'
import { type BlockingKeySource, loadKeysNow } from '@asherah/core/backend'
import { type ChosenCrypto, chooseCrypto, type KeyPath } from './choose-crypto.ts'
import { createSessions, type SessionOwner } from './sessions.ts'
import { timedKms, timedMetastore } from './timers.ts'

/** A config at work in one thread: a factory, its sessions, its backends. */
export interface Engine {
  readonly path: KeyPath
  /** Without timers. */
  readonly backends: Backends
  /** In this tick, or undefined when a key has to be loaded: with a source it is loaded first, if that is all it takes. */
  tryEncrypt(
    partitionId: string,
    plaintext: Uint8Array,
    owner?: SessionOwner,
    source?: BlockingKeySource,
  ): string | undefined
  tryDecrypt(
    partitionId: string,
    record: string | Uint8Array,
    owner?: SessionOwner,
    source?: BlockingKeySource,
  ): Uint8Array | undefined
  encrypt(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): Promise<string>
  decrypt(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Promise<Uint8Array>
  /** Waits for what is in flight, then closes all that was made. */
  close(): Promise<void>
}

/** Loads the backends and chooses the path. @throws InvalidConfigError, or what the backends throw. */
export async function createEngine(plan: Plan, load: LoadPackage): Promise<Engine> {
  const chosen = await chooseCrypto(load)
  const backends = await openBackends(plan, load).catch((error: unknown) => {
    chosen.close()
    throw error
  })
  try {
    return engineOver(plan, backends, chosen)
  } catch (error) {
    await backends.close().catch(() => undefined) // the first failure is the one to tell
    throw error
  }
}

/** An engine over what is there. Its `close` closes that too. @throws InvalidConfigError, with `chosen` closed. */
export function engineOver(plan: Plan, backends: Backends, chosen: ChosenCrypto): Engine {
  const { factory, close } = factoryOver(plan, backends, chosen)
  const sessions = createSessions(factory, {
    caching: plan.sessionCaching,
    maxSize: plan.policy.sessionCacheMaxSize ?? 1_000,
    ttlMs: plan.policy.sessionCacheTtlMs ?? 7_200_000,
  })
  return {
    path: chosen.path,
    backends,
    tryEncrypt(partitionId, plaintext, owner, source) {
      const session = sessions.take(partitionId, owner)
      try {
        const json = session.tryEncryptToJson(plaintext)
        if (json !== undefined || source === undefined || !loadKeysNow(session, source)) return json
        return session.tryEncryptToJson(plaintext)
      } finally {
        sessions.give(session)
      }
    },
    tryDecrypt(partitionId, record, owner, source) {
      const session = sessions.take(partitionId, owner)
      try {
        const plaintext = session.tryDecrypt(record)
        if (plaintext !== undefined || source === undefined || !loadKeysNow(session, source, record)) return plaintext
        return session.tryDecrypt(record)
      } finally {
        sessions.give(session)
      }
    },
    // A session that is given back while its call runs lets the call end.
    encrypt(partitionId, plaintext, owner) {
      const session = sessions.take(partitionId, owner)
      const result = session.encryptToJson(plaintext)
      sessions.give(session)
      return result
    },
    decrypt(partitionId, record, owner) {
      const session = sessions.take(partitionId, owner)
      const result = session.decrypt(record)
      sessions.give(session)
      return result
    },
    async close() {
      try {
        await close()
      } finally {
        sessions.close()
        chosen.close()
      }
    },
  }
}

function factoryOver(plan: Plan, backends: Backends, chosen: ChosenCrypto): ConfiguredFactory {
  try {
    return createFactoryOver(plan, backends, {
      crypto: chosen.crypto,
      cacheSessions: false,
      wrapMetastore: timedMetastore,
      wrapKms: timedKms,
    })
  } catch (error) {
    chosen.close()
    throw error
  }
}
