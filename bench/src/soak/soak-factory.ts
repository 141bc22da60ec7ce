import type { Metastore, SessionFactory } from '@asherah/core'
import { createNativeCrypto } from '@asherah/native-ffi'
import { createEnclaveMemory } from '@asherah/secure-memory'
import { createBenchFactory } from '../factory.ts'

/** Where the keys live. */
export type SoakPath = (typeof SOAK_PATHS)[number]

/** Every {@link SoakPath}. */
export const SOAK_PATHS = ['heap', 'enclave', 'native'] as const

export function isSoakPath(value: unknown): value is SoakPath {
  return SOAK_PATHS.some((path) => path === value)
}

/** Cached sessions; each has its partition's key. */
const POLICY = { cacheSessions: true, sessionCacheMaxSize: 5_000 }

/** A factory, and what closes it with all that it was given. */
export function createSoakFactory(
  path: SoakPath,
  metastore: Metastore,
): { readonly factory: SessionFactory; readonly close: () => Promise<void> } {
  const secrets = path === 'enclave' ? createEnclaveMemory() : undefined
  const crypto = path === 'native' ? createNativeCrypto({ mode: 'required' }) : undefined
  const factory = createBenchFactory({
    metastore,
    policy: POLICY,
    ...(secrets && { secrets }),
    ...(crypto && { crypto }),
  })
  return {
    factory,
    async close() {
      await factory.close()
      crypto?.close()
      secrets?.close()
    },
  }
}
