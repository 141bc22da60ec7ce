import assert from 'node:assert/strict'
import { type Cache, type CacheOptions, checkKnownOptions, type EvictReason } from '@asherah/core/backend'
import { test } from 'vitest'

/**
 * What a bounded cache must do, said slowly and plainly: which key leaves, and when. It is told only of keys that are
 * there or come in; the values and the calls of `onEvict` are kept for it.
 */
export interface CacheModel {
  /** A key that is there was read, or set again. */
  use(key: string): void
  /** A key that is not there was set. @returns the key that leaves for it, which may be the new one. */
  add(key: string): string | undefined
  /** A key that is there was deleted. */
  remove(key: string): void
}

/** Options of {@link cacheModelTest}. */
export interface CacheModelTestOptions {
  /** The name of the test. */
  readonly name: string
  /** Makes a cache; called for each run, with a `maxSize` of 1 to 6. */
  create(options: CacheOptions<number>): Cache<number>
  /** Makes the model of a cache of `size` entries. */
  createModel(size: number): CacheModel
}

type Left = readonly [key: string, value: number, why: EvictReason]

/**
 * Registers a vitest test that a cache does exactly what its model does: in 1,000 runs of up to 150 random operations the
 * same values are there, and the same leave, for the same reason and in the same order. Needs the package `fast-check`.
 *
 * @throws InvalidConfigError for an unknown option.
 */
export function cacheModelTest(options: CacheModelTestOptions): void {
  checkKnownOptions('cacheModelTest', options, ['name', 'create', 'createModel'])
  test(options.name, () => checkAgainstModel(options))
}

/** Rejects, with the shortest run that it finds, when the cache does what its model does not. */
export async function checkAgainstModel(options: Omit<CacheModelTestOptions, 'name'>): Promise<void> {
  const { default: fc } = await import('fast-check')
  const command = fc.record({
    what: fc.constantFrom('set', 'set', 'get', 'get', 'peek', 'delete'),
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '__proto__', ''),
  })
  const run = fc.record({
    size: fc.integer({ min: 1, max: 6 }),
    // Without `size` no run has more than about ten: too few for entries with several uses each to leave.
    commands: fc.array(command, { maxLength: 150, size: 'max' }),
  })
  fc.assert(
    fc.property(run, ({ size, commands }) => {
      const left: Left[] = []
      const cache = options.create({
        maxSize: size,
        onEvict: (key, value, why) => void left.push([key, value, why]),
      })
      const expected = followModel(options.createModel(size))
      for (const [value, { what, key }] of commands.entries()) {
        if (what === 'get') assert.equal(cache.get(key), expected.get(key))
        else if (what === 'peek') assert.equal(cache.peek(key), expected.values.get(key))
        else if (what === 'delete') assert.equal(cache.delete(key), expected.delete(key))
        else {
          cache.set(key, value)
          expected.set(key, value)
        }
        // What left with this operation.
        assert.deepEqual(left.splice(0), expected.left.splice(0))
        assert.equal(cache.size, expected.values.size)
      }
    }),
    { numRuns: 1_000 },
  )
}

/** The values that are there, and those that left, by a model's word. */
function followModel(model: CacheModel) {
  const values = new Map<string, number>()
  const left: Left[] = []
  const leave = (key: string, why: EvictReason): void => {
    const value = values.get(key)
    assert.ok(value !== undefined, `the model lets a key go that is not there: ${JSON.stringify(key)}`)
    left.push([key, value, why])
    values.delete(key)
  }
  return {
    values,
    left,
    get(key: string): number | undefined {
      if (values.has(key)) model.use(key)
      return values.get(key)
    },
    set(key: string, value: number): void {
      if (values.has(key)) {
        leave(key, 'overwrite')
        values.set(key, value)
        model.use(key)
        return
      }
      values.set(key, value)
      const out = model.add(key)
      if (out !== undefined) leave(out, 'evict')
    },
    delete(key: string): boolean {
      if (!values.has(key)) return false
      leave(key, 'delete')
      model.remove(key)
      return true
    },
  }
}
