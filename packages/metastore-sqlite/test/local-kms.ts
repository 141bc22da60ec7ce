import { Buffer } from 'node:buffer'
import { type KeyManagementService, openAes256Gcm, sealAes256Gcm } from '@asherah/core/backend'
import { SEEDED_MASTER_KEY } from '@asherah/testing/tools'

/** A KMS that several processes of a test share. A backend does not import another one, so not that of kms-static. */
export function localKms(): KeyManagementService {
  const masterKey = Buffer.from(SEEDED_MASTER_KEY)
  return {
    encryptKey: async (key) => sealAes256Gcm(key, masterKey),
    decryptKey: async (blob) => openAes256Gcm(blob, masterKey),
  }
}
