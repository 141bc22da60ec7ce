import { type CacheModel, cacheModelTest } from '@asherah/testing'
import { createLruCache } from '../src/index.ts'

/** The same by an array: slow and plain. */
function createModel(size: number): CacheModel {
  /** The longest unused first. */
  let keys: string[] = []
  const remove = (key: string): void => {
    keys = keys.filter((one) => one !== key)
  }
  return {
    remove,
    use(key) {
      remove(key)
      keys.push(key)
    },
    add(key) {
      const victim = keys.length === size ? keys.shift() : undefined
      keys.push(key)
      return victim
    },
  }
}

cacheModelTest({
  name: 'does what a list in the order of use does (property)',
  create: (options) => createLruCache().create(options),
  createModel,
})
