import { type CachedKeyKind, memoryPerPartition } from '../memory-point.ts'
import { hasNative } from '../native.ts'
import type { Group } from '../row.ts'

const PARTITIONS = [1_000, 10_000, 100_000, 1_000_000]
/** Protected memory has four mappings a key, of which a process may have few: it takes about 5,000 keys. */
const MOST_PROTECTED = 1_000

/** Live memory of a cached intermediate key, a fresh child process for each point. No peer: the crate's cannot be told from its rows. */
export const memory: Group = {
  name: 'memory',
  async run({ quick, report }) {
    const kinds: CachedKeyKind[] = ['heap', 'enclave', 'protected']
    if (hasNative()) kinds.push('native')
    for (const partitions of quick ? PARTITIONS.slice(0, 2) : PARTITIONS) {
      for (const kind of kinds) {
        if (kind === 'protected' && partitions > MOST_PROTECTED) continue
        const ours = await memoryPerPartition({ kind, partitions })
        const id = kind === 'native' ? 'native/cached-key-memory' : `typescript/cached-key-memory-${kind}`
        const row = { id: `${id}/${partitions}`, unit: 'bytes', against: null, target: null } as const
        report({ ...row, ours, peer: null, ratio: null })
      }
    }
  },
}
