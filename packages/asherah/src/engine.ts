import {
  type ConfiguredFactory,
  createFactoryFromConfig,
  type LoadPackage,
  type Plan,
  type Settings,
} from '@asherah/config'
import type { Metastore } from '@asherah/core'
import { type ChosenCrypto, chooseCrypto, type KeyPath } from './choose-crypto.ts'
import { createSessions, type SessionOwner } from './sessions.ts'
import { timedKms, timedMetastore } from './timers.ts'

/** A config at work in one thread: a factory, its sessions, its backends. */
export interface Engine {
  readonly path: KeyPath
  /** The backend, without timers. */
  readonly metastore: Metastore
  /** In this tick, or undefined when a key has to be loaded. */
  tryEncrypt(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): string | undefined
  tryDecrypt(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Uint8Array | undefined
  encrypt(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): Promise<string>
  decrypt(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Promise<Uint8Array>
  /** Waits for what is in flight, then closes all that was made. */
  close(): Promise<void>
}

/** What {@link createEngine} takes beside the settings. */
export interface EngineOptions {
  readonly load: LoadPackage
  /** Replaces the metastore before the factory gets it. */
  readonly wrapMetastore?: (metastore: Metastore, plan: Plan) => Metastore
  /** A path that is not wanted. */
  readonly without?: KeyPath | undefined
}

/** @throws InvalidConfigError, or what the backends throw. */
export async function createEngine(settings: Settings, options: EngineOptions): Promise<Engine> {
  const { load, wrapMetastore, without } = options
  const chosen = await chooseCrypto(load, without)
  let metastore: Metastore | undefined
  const made = await createFactoryFromConfig(settings, {
    load,
    crypto: chosen.crypto,
    cacheSessions: false,
    wrapMetastore(backend, plan) {
      metastore = wrapMetastore?.(backend, plan) ?? backend
      return timedMetastore(metastore, plan)
    },
    wrapKms: timedKms,
  }).catch((error: unknown) => {
    chosen.close()
    throw error
  })
  return engineOf(made, metastore ?? made.metastore, chosen)
}

function engineOf({ factory, plan, close }: ConfiguredFactory, metastore: Metastore, chosen: ChosenCrypto): Engine {
  const sessions = createSessions(factory, {
    caching: plan.sessionCaching,
    maxSize: plan.policy.sessionCacheMaxSize ?? 1_000,
    ttlMs: plan.policy.sessionCacheTtlMs ?? 7_200_000,
  })
  return {
    path: chosen.path,
    metastore,
    tryEncrypt(partitionId, plaintext, owner) {
      const session = sessions.take(partitionId, owner)
      try {
        return session.tryEncryptToJson(plaintext)
      } finally {
        sessions.give(session)
      }
    },
    tryDecrypt(partitionId, record, owner) {
      const session = sessions.take(partitionId, owner)
      try {
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
