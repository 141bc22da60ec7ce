import { cacheConformance } from '@asherah/testing'
import { createSlruCache } from '../src/index.ts'

cacheConformance({ name: 'slru', create: () => createSlruCache() })
