import { createMemoryMetastore } from '@asherah/metastore-memory'
import { metastoreConformance } from '@asherah/testing'

metastoreConformance({
  name: 'memory',
  create: () => createMemoryMetastore(),
  dispose: (metastore) => metastore.close(),
  offers: ['list', 'markRevoked', 'check', 'close'],
})
