export { createMemoryMetastore, type MemoryMetastore, type MemoryMetastoreOptions } from './memory-metastore.ts'
