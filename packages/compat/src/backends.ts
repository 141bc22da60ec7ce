import {
  type BackendPlan,
  type LoadPackage,
  loadKms,
  loadMetastore,
  metastorePlan,
  readConfigObject,
} from '@asherah/config'
import {
  adhocPersistence,
  type Call,
  type EnvelopeKeyRecord,
  InvalidConfigError,
  type KeyManagementService,
  type Metastore,
  type Persistence,
} from '@asherah/core'
import { createStaticKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'

/** Packages are found from where this one is. */
const load: LoadPackage = (name) => import(name)

/** Names of metastores for timers: `ado`, `dynamodb`, `memory`. */
const kinds = new WeakMap<object, string>()

/** How the timers call a metastore. */
export function metastoreKind(metastore: Metastore): string {
  return kinds.get(metastore) ?? 'custom'
}

/** TEST ONLY: a metastore in memory. */
export class InMemoryMetastoreImpl implements Metastore {
  readonly #inner: Metastore = createMemoryMetastore()

  constructor() {
    kinds.set(this, 'memory')
  }

  load(keyId: string, created: number, call?: Call): Promise<EnvelopeKeyRecord | null> {
    return this.#inner.load(keyId, created, call)
  }

  loadLatest(keyId: string, call?: Call & { readonly notAfter?: number }): Promise<EnvelopeKeyRecord | null> {
    return this.#inner.loadLatest(keyId, call)
  }

  store(keyId: string, created: number, record: EnvelopeKeyRecord, call?: Call): Promise<boolean> {
    return this.#inner.store(keyId, created, record, call)
  }
}

/** Builds a metastore in an SQL database. */
export interface AdoMetastoreBuilder {
  /**
   * End key ids in this text: one region of a shared store. Default none.
   *
   * @throws InvalidConfigError unless it is non-empty text: a database has no region of its own.
   */
  withKeySuffix(suffix: string): AdoMetastoreBuilder
  /** @throws InvalidConfigError for a connection string of no known form, or with the package to install. */
  build(): Promise<Metastore>
}

/** A metastore in an SQL database, found by its connection string: ADO text of SQL Server, or any that docs/config.md lists. */
export const AdoMetastoreImpl: {
  /** @param databaseType `mysql`, `postgres`, `mssql` or `oracle`, where the connection string does not say. */
  newBuilder(connectionString: string, databaseType?: string): AdoMetastoreBuilder
} = {
  newBuilder: (connectionString, databaseType) =>
    adoBuilder({ Metastore: 'rdbms', ConnectionString: connectionString, SQLMetastoreDBType: databaseType ?? null }),
}

function adoBuilder(keys: Readonly<Record<string, unknown>>): AdoMetastoreBuilder {
  return {
    withKeySuffix: (suffix) =>
      adoBuilder({ ...keys, RegionSuffix: suffixText(suffix, 'a database has no region of its own') }),
    async build() {
      return named('ado', await loadMetastore(metastorePlan(readConfigObject(keys, {})), load))
    },
  }
}

function suffixText(suffix: unknown, otherwise: string): string {
  if (typeof suffix === 'string' && suffix !== '') return suffix
  throw new InvalidConfigError(`withKeySuffix takes non-empty text: ${otherwise}`)
}

/** AWS credentials, or what gives them. */
export type AwsCredentials =
  | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
  | (() => Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }>)

/** Builds a metastore in DynamoDB; the calls may come in any order. */
export interface DynamoDbMetastoreBuilder {
  /** Another region than the builder's; it wins. */
  withRegion(region: string): DynamoDbMetastoreBuilder
  withEndPointConfiguration(endpoint: string, signingRegion: string): DynamoDbMetastoreBuilder
  /** Default `EncryptionKey`. */
  withTableName(tableName: string): DynamoDbMetastoreBuilder
  /**
   * End key ids in this text, or without one in the region of the client, as global tables need. Default: no suffix.
   *
   * @throws InvalidConfigError for what is not non-empty text.
   */
  withKeySuffix(suffix?: string): DynamoDbMetastoreBuilder
  withCredentials(credentials: AwsCredentials): DynamoDbMetastoreBuilder
  /** A `DynamoDBClient` of AWS SDK v3, which stays the caller's. */
  withDynamoDbClient(client: object): DynamoDbMetastoreBuilder
  /** @throws InvalidConfigError naming the option, or with the package to install. */
  build(): Promise<Metastore>
}

/** A metastore in DynamoDB. */
export const DynamoDbMetastoreImpl: { newBuilder(region: string): DynamoDbMetastoreBuilder } = {
  newBuilder: (region) => dynamoDbBuilder({ region }),
}

function dynamoDbBuilder(options: Readonly<Record<string, unknown>>): DynamoDbMetastoreBuilder {
  const next = (more: Readonly<Record<string, unknown>>): DynamoDbMetastoreBuilder =>
    dynamoDbBuilder({ ...options, ...more })
  return {
    withRegion: (region) => next({ region }),
    withEndPointConfiguration: (endpoint, signingRegion) => next({ endpoint, signingRegion }),
    withTableName: (tableName) => next({ tableName }),
    withKeySuffix: (suffix) =>
      next({ regionSuffix: suffix === undefined || suffixText(suffix, 'without one, it is the region') }),
    withCredentials: (credentials) => next({ credentials }),
    withDynamoDbClient: (client) => next({ client }),
    async build() {
      const plan = planOf('dynamodb', '@asherah/metastore-dynamodb', 'createDynamoDbMetastore', options)
      return named('dynamodb', await loadMetastore(plan, load))
    },
  }
}

/** A KMS with one key of 32 UTF-8 bytes: never padded, cut or hashed. */
export class StaticKeyManagementServiceImpl implements KeyManagementService {
  readonly #inner: KeyManagementService

  /** @throws InvalidConfigError for a key of another length, or the public test key. */
  constructor(key: string) {
    this.#inner = createStaticKms({ masterKey: key })
  }

  encryptKey(key: Uint8Array, call?: Call): Promise<Uint8Array> {
    return this.#inner.encryptKey(key, call)
  }

  decryptKey(blob: Uint8Array, call?: Call): Promise<Uint8Array> {
    return this.#inner.decryptKey(blob, call)
  }
}

/** Builds AWS KMS; the calls may come in any order. */
export interface AwsKmsBuilder {
  withCredentials(credentials: AwsCredentials): AwsKmsBuilder
  /** `KMSClient`s of AWS SDK v3 by region, which stay the caller's. */
  withKmsClients(clients: Readonly<Record<string, object>>): AwsKmsBuilder
  /** @throws InvalidConfigError naming the option, or with the package to install. */
  build(): Promise<KeyManagementService>
}

/** AWS KMS in one or several regions. */
export const AwsKeyManagementServiceImpl: {
  /** @param regionMap Key ARNs by region. */
  newBuilder(regionMap: Readonly<Record<string, string>>, preferredRegion: string): AwsKmsBuilder
} = {
  newBuilder: (regionMap, preferredRegion) => awsBuilder({ regionMap, preferredRegion }),
}

function awsBuilder(options: Readonly<Record<string, unknown>>): AwsKmsBuilder {
  return {
    withCredentials: (credentials) => awsBuilder({ ...options, credentials }),
    withKmsClients: (clients) => awsBuilder({ ...options, clients }),
    build: () => loadKms(planOf('aws', '@asherah/kms-aws', 'createAwsKms', options), load),
  }
}

function planOf(kind: string, name: string, factory: string, options: BackendPlan['options']): BackendPlan {
  return { kind, package: name, factory, options, uses: [] }
}

function named(kind: string, metastore: Metastore): Metastore {
  kinds.set(metastore, kind)
  return metastore
}

/** A store of the application's own, of two functions. */
export class AdhocPersistence<T> implements Persistence<T> {
  readonly load: Persistence<T>['load']
  readonly store: Persistence<T>['store']

  /**
   * @param load Null or undefined: nothing there.
   * @param store Gets a random UUID as the key where the caller gives none.
   */
  constructor(load: (key: string) => Promise<T | null | undefined>, store: (key: string, value: T) => Promise<void>) {
    const persistence = adhocPersistence<T>(load, store)
    this.load = persistence.load
    this.store = persistence.store
  }
}
