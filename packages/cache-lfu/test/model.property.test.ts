import { type CacheModel, cacheModelTest } from '@asherah/testing'
import { createLfuCache } from '../src/index.ts'

interface Entry {
  readonly key: string
  readonly uses: number
  readonly usedAt: number
}

/** The same by an array and sorting: slow and plain. */
function createModel(size: number): CacheModel {
  let entries: Entry[] = []
  let time = 0
  const remove = (key: string): void => {
    entries = entries.filter((one) => one.key !== key)
  }
  return {
    remove,
    use(key) {
      time += 1
      entries = entries.map((one) => (one.key === key ? { key, uses: one.uses + 1, usedAt: time } : one))
    },
    add(key) {
      const [first] = entries.toSorted((a, b) => a.uses - b.uses || a.usedAt - b.usedAt)
      const victim = entries.length === size ? first?.key : undefined
      if (victim !== undefined) remove(victim)
      time += 1
      entries.push({ key, uses: 1, usedAt: time })
      return victim
    },
  }
}

cacheModelTest({
  name: 'does what sorting by uses, then by last use, does (property)',
  create: (options) => createLfuCache().create(options),
  createModel,
})
