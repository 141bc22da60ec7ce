import { type CacheModel, cacheModelTest } from '@asherah/testing'
import { createSlruCache } from '../src/index.ts'

interface Entry {
  readonly key: string
  readonly isProtected: boolean
}

const protectedShare = 0.5

/** The same by one array: slow and plain. */
function createModel(size: number): CacheModel {
  const protectedSize = Math.min(size - 1, Math.floor(size * protectedShare))
  /** Both segments in one list, the longest unused first: an entry that loses its protection counts as used then. */
  let entries: Entry[] = []
  const remove = (key: string): void => {
    entries = entries.filter((one) => one.key !== key)
  }
  const putLast = (entry: Entry): void => {
    remove(entry.key)
    entries.push(entry)
  }
  return {
    remove,
    use(key) {
      putLast({ key, isProtected: protectedSize > 0 })
      const safe = entries.filter((one) => one.isProtected)
      const [demoted] = safe
      if (safe.length > protectedSize && demoted !== undefined) putLast({ key: demoted.key, isProtected: false })
    },
    add(key) {
      const victim = entries.length === size ? entries.find((one) => !one.isProtected) : undefined
      if (victim !== undefined) remove(victim.key)
      entries.push({ key, isProtected: false })
      return victim?.key
    },
  }
}

cacheModelTest({
  name: 'does what two lists do (property)',
  create: (options) => createSlruCache({ protectedShare }).create(options),
  createModel,
})
