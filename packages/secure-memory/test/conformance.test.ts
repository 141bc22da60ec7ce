import { createEnclaveMemory, createProtectedMemory } from '@asherah/secure-memory'
import { secretFactoryConformance } from '@asherah/testing'

secretFactoryConformance({ name: 'protected memory', create: () => createProtectedMemory() })
secretFactoryConformance({ name: 'enclave memory', create: () => createEnclaveMemory() })
secretFactoryConformance({
  name: 'enclave memory, re-keyed at each use',
  create: () => createEnclaveMemory({ rekeyAfterUses: 1, rekeyAfterMs: 1 }),
})
