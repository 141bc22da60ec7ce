import { SessionFactory } from '@asherah/core'
import type { KeyManagementService, Metastore } from '@asherah/core/backend'
import { createStaticKms } from '@asherah/kms-static'
import type { JsonLinesProcess } from '../src/json-lines-process.ts'

/** The service of every test here. */
export const service = 'interop-service'
/** The product of every test here. */
export const product = 'interop-product'
const masterKey = 'interop-master-key-of-32-letters'

/** The keys that we and a peer both use: one metastore, or two that are kept alike. */
export interface SharedStore {
  readonly metastore: Metastore
  /** Ours, where it is not the static one of both sides; the peer's is in `openFields`. */
  readonly kms?: KeyManagementService
  /** What the peer's `open` needs beside the common settings. */
  readonly openFields: Readonly<Record<string, unknown>>
  /** Brings what we wrote to the peer. */
  toPeer(): Promise<void>
  /** Brings what the peer wrote to us. */
  fromPeer(): Promise<void>
  close(): Promise<void>
}

/** Both sides of one shared store. The peer is behind the same two verbs as our own sessions. */
export interface Both {
  readonly store: SharedStore
  /** The running peer, for requests that only it knows. */
  readonly child: JsonLinesProcess
  /** Our factory over the store, with the default policy; the caller closes it. */
  ourFactory(): SessionFactory
  /** Opens the peer anew (no cached keys) with its default policy, or with this expiry and at most a minute's precision. */
  openPeer(settings?: { readonly expireAfterSeconds?: number }): Promise<void>
  readonly theirs: Side
  /** Our side with a factory of its own for each call: nothing is cached between calls. */
  ours(settings?: OurSettings): Side
}

/** What encrypts and decrypts. */
export interface Side {
  encrypt(partition: string, plaintext: Buffer): Promise<string>
  decrypt(partition: string, record: string): Promise<Buffer>
}

interface OurSettings {
  /** The wall clock is this much ahead of (or, negative, behind) this machine's. */
  readonly shiftMs?: number
  readonly expireAfterMs?: number
}

/** Our sessions and the running peer's, over one store. */
export function bothSides(child: JsonLinesProcess, store: SharedStore): Both {
  return {
    store,
    child,
    ourFactory: () => factoryOver(store, {}),
    openPeer: async (settings = {}) => {
      await child.request('open', { service, product, masterKey, ...store.openFields, ...settings })
    },
    theirs: {
      encrypt: async (partition, plaintext) => {
        await store.toPeer()
        const record = await child.request('encrypt', { partition, plaintext: plaintext.toString('base64') })
        await store.fromPeer()
        return String(record)
      },
      decrypt: async (partition, record) => {
        await store.toPeer()
        return Buffer.from(String(await child.request('decrypt', { partition, record })), 'base64')
      },
    },
    ours: (settings = {}) => {
      const factory = () => factoryOver(store, settings)
      return {
        encrypt: async (partition, plaintext) => {
          await using own = factory()
          using session = own.getSession(partition)
          return await session.encryptToJson(plaintext)
        },
        decrypt: async (partition, record) => {
          await using own = factory()
          using session = own.getSession(partition)
          return Buffer.from(await session.decrypt(record))
        },
      }
    },
  }
}

function factoryOver(store: SharedStore, { shiftMs = 0, expireAfterMs }: OurSettings): SessionFactory {
  return new SessionFactory({
    service,
    product,
    metastore: store.metastore,
    kms: store.kms ?? createStaticKms({ masterKey }),
    clock: { now: () => Date.now() + shiftMs, monotonicMs: () => performance.now() },
    ...(expireAfterMs !== undefined && { policy: { expireAfterMs } }),
  })
}

/** The intermediate key that a record names. */
export function parentOf(record: string): { KeyId: string; Created: number } {
  return JSON.parse(record).Key.ParentKeyMeta
}
