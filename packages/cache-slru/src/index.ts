export { createSlruCache, type SlruCacheOptions } from './slru-cache.ts'
