export { createLfuCache } from './lfu-cache.ts'
