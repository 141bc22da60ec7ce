import { type Cache, type CacheOptions, lruCache } from '@asherah/core/backend'
import { expect, test } from 'vitest'
import { type CacheModel, checkAgainstModel } from '../src/cache/cache-model.ts'
import { passOn } from './pass-on.ts'

type Create = (options: CacheOptions<number>) => Cache<number>

const create: Create = (options) => lruCache().create(options)

/** First in, first out. */
function createQueue(size: number): CacheModel {
  const keys: string[] = []
  return {
    use() {},
    add(key) {
      keys.push(key)
      return keys.length > size ? keys.shift() : undefined
    },
    remove: (key) => void keys.splice(keys.indexOf(key), 1),
  }
}

/** The longest unused first. */
function createList(size: number): CacheModel {
  const queue = createQueue(size)
  return {
    ...queue,
    use(key) {
      queue.remove(key)
      queue.add(key)
    },
  }
}

test('a cache that does what its model does passes', () => checkAgainstModel({ create, createModel: createList }))

test.each<[string, Create, (size: number) => CacheModel]>([
  ['another victim', create, createQueue],
  [
    'a peek that counts as a use',
    (options) => {
      const cache = create(options)
      return { ...passOn(cache), peek: (key) => cache.get(key) }
    },
    createList,
  ],
  [
    'a delete with another answer',
    (options) => {
      const cache = create(options)
      return { ...passOn(cache), delete: (key) => cache.delete(key) || true }
    },
    createList,
  ],
  ['one place too many', (options) => create({ ...options, maxSize: options.maxSize + 1 }), createList],
  ['a value that leaves unsaid', (options) => create({ ...options, onEvict() {} }), createList],
])('%s is seen', async (_, createFaulty, createModel) => {
  await expect(checkAgainstModel({ create: createFaulty, createModel })).rejects.toThrow('Property failed')
})
