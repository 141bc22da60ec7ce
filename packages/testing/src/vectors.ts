import { readFile } from 'node:fs/promises'
import { InvalidInputError } from '@asherah/core/backend'
import {
  anything,
  flag,
  list,
  literal,
  nullable,
  number,
  object,
  optional,
  record,
  type Shape,
  text,
  union,
} from './shape.ts'

/** Who wrote a file of vectors, or gave an outcome. */
export interface VectorImplementation {
  readonly language: string
  readonly package: string
  readonly version: string
}

/** The KMS that wrapped the system keys. */
export type VectorKms = StaticVectorKms | AwsVectorKms

/** The public test key, as text and as hex digits. */
export interface StaticVectorKms {
  readonly type: 'static'
  readonly masterKeyUtf8: string
  readonly masterKeyHex: string
}

/** An emulated AWS KMS: `keks` lists what Decrypt answers for each encrypted key; anything else makes it fail. */
export interface AwsVectorKms {
  readonly type: 'aws'
  readonly regionArnMap: Readonly<Record<string, string>>
  readonly preferredRegion: string
  readonly keks: readonly {
    readonly region: string
    readonly arn: string
    /** Base64. */
    readonly encryptedKek: string
    readonly plaintextDataKeyBase64: string
  }[]
}

/** One metastore row as its writer stored it; it has `keyRecord` or `dynamodbItem`. */
export interface VectorRow {
  readonly id: string
  /** Unix seconds. */
  readonly created: number
  /** `created` as UTC time text. */
  readonly createdSqlUtc?: string
  /** What stands in the `created` column of the writer's own database. */
  readonly createdDb?: string
  readonly createdDbEpoch?: number
  /** The text of the `key_record` column. */
  readonly keyRecord?: string
  /** The DynamoDB item, in its attribute value form. */
  readonly dynamodbItem?: unknown
  /** The AWS KMS envelope inside a system key's `Key`. */
  readonly kmsEnvelope?: string
}

/** One encrypted payload. */
export interface VectorCase {
  readonly name: string
  readonly partitionId: string
  readonly plaintextBase64: string
  /** The data row record's text. */
  readonly drr: string
}

/** What one implementation did with an unusual input. */
export interface VectorOutcome {
  readonly ok: boolean
  readonly plaintextBase64?: string
  readonly error?: readonly string[]
  readonly rowsAddedByDecrypt?: readonly VectorRow[]
}

export interface VectorHeader {
  readonly metastore: string
  readonly kms: VectorKms
  readonly productId: string
  readonly serviceId: string
  readonly note?: string
  readonly rows: readonly VectorRow[]
}

/** A plain file: every case must decrypt. */
export interface Vectors extends VectorHeader {
  readonly format: 'asherah-test-vectors/1'
  readonly implementation: VectorImplementation
  readonly regionSuffix: string | null
  /** `javaSession`: the payload type and record type of a Java session. */
  readonly cases: readonly (VectorCase & { readonly javaSession?: string })[]
}

/** Malformed and unusual records, rows and keys, with the outcome of each implementation. */
export interface VariantVectors extends VectorHeader {
  readonly format: 'asherah-test-vectors-variants/1'
  readonly implementations: Readonly<Record<string, VectorImplementation>>
  readonly regionSuffix: string | null
  readonly partitionId: string
  readonly plaintextBase64: string
  /** `rows` and `masterKeyUtf8`, where given, take the place of the file's. */
  readonly variants: readonly {
    readonly group: string
    readonly name: string
    readonly partitionId: string
    readonly drr: string
    readonly rows?: readonly VectorRow[]
    readonly masterKeyUtf8?: string
    readonly outcomes: Readonly<Record<string, VectorOutcome>>
  }[]
}

/** Malformed and unusual AWS KMS envelopes, all for one record. */
export interface KmsVariantVectors extends VectorHeader {
  readonly format: 'asherah-test-vectors-kms-variants/1'
  readonly implementation: VectorImplementation
  readonly regionSuffix: string | null
  readonly partitionId: string
  readonly plaintextBase64: string
  readonly drr: string
  readonly variants: readonly {
    readonly name: string
    readonly readerRegionArnMap: Readonly<Record<string, string>>
    readonly readerPreferredRegion: string
    readonly rows: readonly VectorRow[]
    readonly outcomes: Readonly<Record<string, VectorOutcome>>
  }[]
}

/** Records of two regions, read by sessions of several suffixes and products. */
export interface MultiRegionVectors extends VectorHeader {
  readonly format: 'asherah-test-vectors-multiregion/1'
  readonly implementation: VectorImplementation
  readonly outcomeImplementations: Readonly<Record<string, VectorImplementation>>
  readonly cases: readonly (VectorCase & {
    readonly writtenWithSuffix: string | null
    readonly writtenWithProductId: string
    /** `go`, `java` and `rust` are `ok`, or `error: …`. */
    readonly outcomes: readonly {
      readonly sessionProductId: string
      readonly sessionRegionSuffix: string | null
      readonly go: string
      readonly java: string
      readonly rust: string
    }[]
  })[]
}

/** Any file of vectors, told apart by `format`. */
export type VectorFile = Vectors | VariantVectors | KmsVariantVectors | MultiRegionVectors

const implementation: Shape<VectorImplementation> = object({ language: text, package: text, version: text })

const kms: Shape<VectorKms> = union<VectorKms>('type', {
  static: object({ type: literal('static'), masterKeyUtf8: text, masterKeyHex: text }),
  aws: object({
    type: literal('aws'),
    regionArnMap: record(text),
    preferredRegion: text,
    keks: list(object({ region: text, arn: text, encryptedKek: text, plaintextDataKeyBase64: text })),
  }),
})

const row: Shape<VectorRow> = object({
  id: text,
  created: number,
  createdSqlUtc: optional(text),
  createdDb: optional(text),
  createdDbEpoch: optional(number),
  keyRecord: optional(text),
  dynamodbItem: optional(anything),
  kmsEnvelope: optional(text),
})

const outcome: Shape<VectorOutcome> = object({
  ok: flag,
  plaintextBase64: optional(text),
  error: optional(list(text)),
  rowsAddedByDecrypt: optional(list(row)),
})

const header = { metastore: text, kms, productId: text, serviceId: text, note: optional(text), rows: list(row) }
const payload = { name: text, partitionId: text, plaintextBase64: text, drr: text }

const file: Shape<VectorFile> = union<VectorFile>('format', {
  'asherah-test-vectors/1': object({
    ...header,
    format: literal('asherah-test-vectors/1'),
    implementation,
    regionSuffix: nullable(text),
    cases: list(object({ ...payload, javaSession: optional(text) })),
  }),
  'asherah-test-vectors-variants/1': object({
    ...header,
    format: literal('asherah-test-vectors-variants/1'),
    implementations: record(implementation),
    regionSuffix: nullable(text),
    partitionId: text,
    plaintextBase64: text,
    variants: list(
      object({
        group: text,
        name: text,
        partitionId: text,
        drr: text,
        rows: optional(list(row)),
        masterKeyUtf8: optional(text),
        outcomes: record(outcome),
      }),
    ),
  }),
  'asherah-test-vectors-kms-variants/1': object({
    ...header,
    format: literal('asherah-test-vectors-kms-variants/1'),
    implementation,
    regionSuffix: nullable(text),
    partitionId: text,
    plaintextBase64: text,
    drr: text,
    variants: list(
      object({
        name: text,
        readerRegionArnMap: record(text),
        readerPreferredRegion: text,
        rows: list(row),
        outcomes: record(outcome),
      }),
    ),
  }),
  'asherah-test-vectors-multiregion/1': object({
    ...header,
    format: literal('asherah-test-vectors-multiregion/1'),
    implementation,
    outcomeImplementations: record(implementation),
    cases: list(
      object({
        ...payload,
        writtenWithSuffix: nullable(text),
        writtenWithProductId: text,
        outcomes: list(
          object({ sessionProductId: text, sessionRegionSuffix: nullable(text), go: text, java: text, rust: text }),
        ),
      }),
    ),
  }),
})

/**
 * Reads a file of test vectors and checks its shape.
 *
 * @throws InvalidInputError naming the field that is not as its `format` says.
 * @example
 * const vectors = await loadVectors(new URL('./vectors/go-memory.json', import.meta.url))
 * if (vectors.format === 'asherah-test-vectors/1') console.log(vectors.cases.length)
 */
export async function loadVectors(path: string | URL): Promise<VectorFile> {
  const value: unknown = JSON.parse(await readFile(path, 'utf8'))
  if (file.is(value)) return value
  throw new InvalidInputError(`${String(path)} is not a file of Asherah test vectors: ${file.mismatch(value, '$')}`)
}
