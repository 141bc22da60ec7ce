import { cacheConformance } from '@asherah/testing'
import { createLruCache } from '../src/index.ts'

cacheConformance({ name: 'lru', create: () => createLruCache() })
