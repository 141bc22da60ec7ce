export { createTinyLfuCache, type TinyLfuCacheOptions } from './tinylfu-cache.ts'
