import { cacheConformance } from '@asherah/testing'
import { createTinyLfuCache } from '../src/index.ts'

cacheConformance({ name: 'tinylfu', create: () => createTinyLfuCache() })
