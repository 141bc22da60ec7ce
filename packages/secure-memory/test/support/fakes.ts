import {
  type EnvelopeKeyRecord,
  type KeyManagementService,
  type Metastore,
  openAes256Gcm,
  sealAes256Gcm,
} from '@asherah/core/backend'

/** A metastore in a map. */
export function createMapMetastore(): Metastore {
  const rows = new Map<string, EnvelopeKeyRecord[]>()
  const of = (keyId: string): EnvelopeKeyRecord[] => rows.get(keyId) ?? []
  return {
    load: async (keyId, created) => of(keyId).find((row) => row.created === created) ?? null,
    loadLatest: async (keyId) => of(keyId).toSorted((a, b) => b.created - a.created)[0] ?? null,
    async store(keyId, created, record) {
      if (of(keyId).some((row) => row.created === created)) return false
      rows.set(keyId, [...of(keyId), record])
      return true
    },
  }
}

/** A KMS with one key, for tests. */
export function createTestKms(): KeyManagementService {
  const masterKey = new Uint8Array(32).fill(42)
  return {
    encryptKey: async (key) => sealAes256Gcm(key, masterKey),
    decryptKey: async (blob) => openAes256Gcm(blob, masterKey),
  }
}
