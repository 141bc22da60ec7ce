import {
  type EnvelopeKeyRecord,
  type KeyManagementService,
  type Metastore,
  openAes256Gcm,
  sealAes256Gcm,
} from '@asherah/core/backend'

/** The public test key of every Asherah implementation. */
const PUBLIC_TEST_KEY = Buffer.from('thisIsAStaticMasterKeyForTesting')

/** A KMS with a public key. */
export function createFakeKms(key: Uint8Array = PUBLIC_TEST_KEY): KeyManagementService {
  return {
    encryptKey: async (bytes) => sealAes256Gcm(bytes, key),
    decryptKey: async (blob) => openAes256Gcm(blob, key),
  }
}

/** A metastore in a map. */
export function createFakeMetastore(
  rows: readonly EnvelopeKeyRecord[] = [],
  regionSuffix: string | null = null,
): Metastore {
  const byId = new Map<string, EnvelopeKeyRecord[]>()
  const add = (row: EnvelopeKeyRecord): boolean => {
    const known = byId.get(row.keyId) ?? []
    if (known.some(({ created }) => created === row.created)) return false
    byId.set(
      row.keyId,
      [...known, row].sort((a, b) => a.created - b.created),
    )
    return true
  }
  for (const row of rows) add(row)
  return {
    ...(regionSuffix === null ? {} : { regionSuffix }),
    load: async (keyId, created) => byId.get(keyId)?.find((row) => row.created === created) ?? null,
    loadLatest: async (keyId, { notAfter = Number.POSITIVE_INFINITY } = {}) =>
      byId.get(keyId)?.findLast((row) => row.created <= notAfter) ?? null,
    store: async (_keyId, _created, record) => add(record),
  }
}
