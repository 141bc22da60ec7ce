/** The identity of a system or intermediate key: one row of the metastore. */
export interface KeyMeta {
  /** `_SK_{service}_{product}[_{suffix}]` or `_IK_{partition}_{service}_{product}[_{suffix}]`. */
  readonly keyId: string
  /** When the key was made, in Unix seconds. */
  readonly created: number
}

/** One metastore row: a wrapped system key (no parent) or a wrapped intermediate key (its parent is a system key). */
export interface EnvelopeKeyRecord extends KeyMeta {
  /** The wrapped key: the KMS's blob for a system key, 60 bytes (`wire-format`: ciphertext, tag, nonce) for an intermediate key. */
  readonly encryptedKey: Uint8Array
  /** True when an operator has revoked the key: it still reads, and never writes again. */
  readonly revoked: boolean
  /** The key that wraps this one; absent on a system key. */
  readonly parentKeyMeta?: KeyMeta
}

/** What `encrypt` returns. `JSON.stringify` of it is the wire form that every Asherah implementation reads. */
export interface DataRowRecord {
  readonly key: {
    /** When the data row key was made, in Unix seconds; informational. */
    readonly created: number
    /** The data row key wrapped by the intermediate key: 60 bytes. */
    readonly encryptedKey: Uint8Array
    /** The intermediate key, exactly. */
    readonly parentKeyMeta: KeyMeta
  }
  /** Ciphertext, tag (16 bytes) and nonce (12 bytes): the plaintext's length + 28. */
  readonly data: Uint8Array
  /** The wire form, for `JSON.stringify`. */
  toJSON(): DataRowRecordJson
}

/** The wire form of a {@link DataRowRecord}, as `JSON.parse` gives it. */
export interface DataRowRecordJson {
  readonly Key: {
    readonly Created: number
    /** Standard base64 with padding. */
    readonly Key: string
    readonly ParentKeyMeta: { readonly KeyId: string; readonly Created: number }
  }
  /** Standard base64 with padding. */
  readonly Data: string
}

/** A record without its `toJSON`: what `structuredClone` or `postMessage` leaves of a {@link DataRowRecord}. */
export type DataRowRecordFields = Omit<DataRowRecord, 'toJSON'>

/** Everything that `decrypt` accepts as one record. */
export type DataRowRecordInput = DataRowRecord | DataRowRecordFields | DataRowRecordJson | string | Uint8Array
