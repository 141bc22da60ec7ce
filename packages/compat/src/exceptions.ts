import { AsherahError } from '@asherah/core'

/** What C# and Java users catch: every failure of an encrypt, decrypt, load or store. `cause` is core's typed error. */
export class AppEncryptionException extends Error {
  override get name(): string {
    return this.constructor.name
  }
}

/** The KMS failed in every region. */
export class KmsException extends AppEncryptionException {}

/** The metastore has no row for a key that a record needs. */
export class MetadataMissingException extends AppEncryptionException {}

/** The exception of an error: errors of configuration, of closed things and of other code stay as they are. */
export function exceptionOf(error: unknown): unknown {
  if (!(error instanceof AsherahError)) return error
  switch (error.code) {
    case 'ERR_ASHERAH_KMS':
      return new KmsException(error.message, { cause: error })
    case 'ERR_ASHERAH_KEY_NOT_FOUND':
      return new MetadataMissingException(error.message, { cause: error })
    case 'ERR_ASHERAH_INVALID_CONFIG':
    case 'ERR_ASHERAH_CLOSED':
    case 'ERR_ASHERAH_SECURE_MEMORY':
    case 'ERR_ASHERAH_ABORTED':
      return error
    default:
      return new AppEncryptionException(error.message, { cause: error })
  }
}
