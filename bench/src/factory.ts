import { SessionFactory, type SessionFactoryOptions } from '@asherah/core'
import { createInsecureTestKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'

/** What a group chooses of its factory. */
export type BenchFactoryOptions = Pick<SessionFactoryOptions, 'policy' | 'crypto' | 'secrets'> &
  Partial<Pick<SessionFactoryOptions, 'metastore'>>

/** A factory over the memory metastore and the static test KMS: what is timed is the library. */
export function createBenchFactory(options: BenchFactoryOptions = {}): SessionFactory {
  return new SessionFactory({
    service: 'service',
    product: 'product',
    metastore: createMemoryMetastore(),
    kms: createInsecureTestKms(),
    ...options,
  })
}
