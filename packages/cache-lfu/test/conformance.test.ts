import { cacheConformance } from '@asherah/testing'
import { createLfuCache } from '../src/index.ts'

cacheConformance({ name: 'lfu', create: () => createLfuCache() })
