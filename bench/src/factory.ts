import { type CryptoPolicyOptions, SessionFactory } from '@asherah/core'
import { createInsecureTestKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'

/** A factory over the memory metastore and the static test KMS: what is timed is the library. */
export function createBenchFactory(policy: CryptoPolicyOptions = {}): SessionFactory {
  return new SessionFactory({
    service: 'service',
    product: 'product',
    metastore: createMemoryMetastore(),
    kms: createInsecureTestKms(),
    policy,
  })
}
