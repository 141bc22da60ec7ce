import { createHeapSecrets, createNodeCrypto, lruCache, simpleCache } from '@asherah/core/backend'
import { cacheConformance, cryptoProviderConformance, secretFactoryConformance } from '@asherah/testing'

secretFactoryConformance({ name: "core's heap secrets", create: () => createHeapSecrets(), offers: ['keyObject'] })
cryptoProviderConformance({
  name: "core's node:crypto",
  create: () => createNodeCrypto({ secrets: createHeapSecrets() }),
  offers: ['encryptRowJson'],
})
cryptoProviderConformance({
  name: "core's node:crypto without a random pool",
  create: () => createNodeCrypto({ secrets: createHeapSecrets(), randomPool: false }),
  offers: ['encryptRowJson'],
})
cacheConformance({ name: "core's lru", create: () => lruCache() })
cacheConformance({ name: "core's simple", create: () => simpleCache(), bounded: false })
