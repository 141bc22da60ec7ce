import assert from 'node:assert/strict'
import type { Cache, CacheFactory, EvictReason } from '@asherah/core/backend'
import { assertThrows } from '../assertions.ts'
import type { Check } from '../check.ts'

/** What the cache checks work on. */
export interface CacheSubject {
  readonly factory: CacheFactory
  /** False: a kind without a bound, whose only `maxSize` is Infinity. */
  readonly bounded: boolean
}

interface Value {
  readonly key: string
  readonly serial: number
}

interface Gone {
  readonly value: Value
  readonly key: string
  readonly why: EvictReason
}

/** A cache that keeps book of every value that went in and came out. */
interface Book {
  readonly cache: Cache<Value>
  readonly gone: readonly Gone[]
  /** A new value under a key. */
  set(key: string): Value
  /** Every value is in the cache, under its key, or has left it once: never neither, never both. */
  audit(): void
}

function openBook(factory: CacheFactory, maxSize: number): Book {
  const values: Value[] = []
  const gone: Gone[] = []
  const cache = factory.create<Value>({
    maxSize,
    onEvict(key, value, why) {
      gone.push({ key, value, why })
    },
  })
  return {
    cache,
    gone,
    set(key) {
      const value = { key, serial: values.length }
      values.push(value)
      cache.set(key, value)
      return value
    },
    audit() {
      assert.ok(cache.size <= maxSize, `size ${cache.size} is over maxSize ${maxSize}`)
      let present = 0
      for (const value of values) {
        const left = gone.filter((g) => g.value === value)
        assert.ok(left.length <= 1, `onEvict was called ${left.length} times for one value`)
        assert.ok(
          left.every((g) => g.key === value.key),
          'onEvict was called with another key than the value had',
        )
        const here = cache.peek(value.key) === value
        assert.equal(
          here,
          left.length === 0,
          `value ${value.serial} is ${here ? 'still there after' : 'lost without'} onEvict`,
        )
        if (here) present += 1
      }
      assert.equal(cache.size, present, 'size')
    },
  }
}

/** A size that the kind takes and that `count` entries fit in. */
function roomFor(subject: CacheSubject, count: number): number {
  return subject.bounded ? count : Number.POSITIVE_INFINITY
}

const REASONS: readonly EvictReason[] = ['evict', 'delete', 'overwrite', 'dispose']

function lastWhy(book: Book, value: Value): EvictReason | undefined {
  return book.gone.findLast((gone) => gone.value === value)?.why
}

/** Park and Miller's generator: the same trace on every run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

/** What a cache of every kind must do. */
export const cacheChecks: readonly Check<CacheSubject>[] = [
  {
    name: 'the factory has a kind, and makes caches that know nothing of each other',
    run(subject) {
      assert.ok(typeof subject.factory.kind === 'string' && subject.factory.kind !== '', 'kind')
      const a = openBook(subject.factory, roomFor(subject, 3))
      const b = openBook(subject.factory, roomFor(subject, 3))
      const value = a.set('k')
      assert.equal(b.cache.get('k'), undefined, 'the other cache')
      assert.equal(a.cache.get('k'), value)
      b.cache.close()
      a.audit()
      assert.deepEqual(a.gone, [], 'closing one cache empties another')
    },
  },
  {
    name: 'get and peek give what was set, and undefined where nothing is',
    run(subject) {
      const book = openBook(subject.factory, roomFor(subject, 3))
      assert.equal(book.cache.size, 0)
      assert.equal(book.cache.get('a'), undefined)
      assert.equal(book.cache.peek('a'), undefined)
      const value = book.set('a')
      assert.equal(book.cache.get('a'), value, 'get')
      assert.equal(book.cache.peek('a'), value, 'peek')
      assert.equal(book.cache.size, 1)
      book.audit()
    },
  },
  {
    name: 'set over a key lets the old value go as overwrite, once',
    run(subject) {
      const book = openBook(subject.factory, roomFor(subject, 3))
      const old = book.set('a')
      const other = book.set('b')
      const value = book.set('a')
      assert.equal(book.cache.peek('a'), value)
      assert.equal(lastWhy(book, old), 'overwrite')
      assert.equal(lastWhy(book, other), undefined, 'the value of another key')
      assert.equal(book.cache.size, 2)
      book.audit()
    },
  },
  {
    name: 'delete gives true and lets the value go as delete; then false',
    run(subject) {
      const book = openBook(subject.factory, roomFor(subject, 3))
      assert.equal(book.cache.delete('a'), false, 'delete of nothing')
      const value = book.set('a')
      book.set('b')
      assert.equal(book.cache.delete('a'), true)
      assert.equal(lastWhy(book, value), 'delete')
      assert.equal(book.cache.get('a'), undefined)
      assert.equal(book.cache.delete('a'), false, 'the second time')
      assert.equal(book.gone.length, 1, 'calls of onEvict')
      book.set('a')
      book.audit()
    },
  },
  {
    name: 'close lets every value go as dispose, once; what is set later does not stay',
    run(subject) {
      const book = openBook(subject.factory, roomFor(subject, 5))
      const values = ['a', 'b', 'c'].map((key) => book.set(key))
      book.cache.close()
      for (const value of values) assert.equal(lastWhy(book, value), 'dispose')
      assert.equal(book.cache.size, 0)
      assert.equal(book.cache.get('a'), undefined)
      book.cache.close()
      assert.equal(book.gone.length, 3, 'calls of onEvict after the second close')
      const late = book.set('d')
      assert.ok(lastWhy(book, late) !== undefined, 'a value that was set after close leaks')
      book.audit()
    },
  },
  {
    name: 'keys are any text, and touch no prototype',
    run(subject) {
      const keys = [
        '__proto__',
        'constructor',
        'toString',
        'hasOwnProperty',
        '',
        ' ',
        '1',
        '01',
        'a',
        'A',
        'é',
        'e\u0301',
      ]
      const more = ['\0', '😀', 'null', 'undefined', 'size', 'x'.repeat(5_000)]
      const all = [...keys, ...more]
      const book = openBook(subject.factory, roomFor(subject, all.length))
      for (const key of all) assert.equal(book.cache.get(key), undefined, JSON.stringify(key.slice(0, 20)))
      const values = all.map((key) => book.set(key))
      all.forEach((key, i) => {
        assert.equal(book.cache.get(key), values[i], JSON.stringify(key.slice(0, 20)))
      })
      book.audit()
      assert.equal(Reflect.get({}, 'serial'), undefined, 'Object.prototype has grown')
      for (const key of all) assert.equal(book.cache.delete(key), true, JSON.stringify(key.slice(0, 20)))
      assert.equal(book.cache.size, 0)
      book.audit()
    },
  },
  {
    name: 'onEvict may look at the cache',
    run(subject) {
      const sizes: number[] = []
      const cache: Cache<number> = subject.factory.create<number>({
        maxSize: roomFor(subject, 2),
        onEvict(key) {
          cache.peek(key)
          cache.get('b')
          sizes.push(cache.size)
        },
      })
      for (const [i, key] of ['a', 'b', 'c', 'a', 'd', 'd'].entries()) cache.set(key, i)
      cache.delete('d')
      cache.close()
      assert.ok(sizes.length > 0, 'onEvict was never called')
      assert.ok(
        sizes.every((size) => size >= 0 && size <= roomFor(subject, 2)),
        `sizes ${sizes.join()}`,
      )
    },
  },
  {
    name: 'in 5,000 mixed operations each value leaves once, for a reason that was there (D-029)',
    run(subject) {
      for (const maxSize of subject.bounded ? [1, 2, 3, 10, 64] : [Number.POSITIVE_INFINITY]) {
        const book = openBook(subject.factory, maxSize)
        mixedOperations(book, maxSize)
        book.audit()
        assert.ok(
          book.gone.every(({ why }) => REASONS.includes(why)),
          'a reason that the contract does not have',
        )
        book.cache.close()
        book.audit()
      }
    },
  },
]

function mixedOperations(book: Book, maxSize: number): void {
  const random = createRandom(20_260_101)
  const keys = Number.isFinite(maxSize) ? maxSize * 3 : 100
  for (let i = 0; i < 5_000; i++) {
    const key = `k${random(keys)}`
    const before = book.gone.length
    const present = book.cache.peek(key)
    const operation = random(10)
    if (operation < 5) {
      const value = book.set(key)
      checkReasons(book.gone.slice(before), present, value)
    } else if (operation < 8) {
      assert.equal(book.cache.get(key), present, 'get and peek differ')
      assert.equal(book.gone.length, before, 'get let a value go')
    } else {
      assert.equal(book.cache.delete(key), present !== undefined, 'delete')
      assert.deepEqual(
        book.gone.slice(before).map(({ value, why }) => ({ value, why })),
        present === undefined ? [] : [{ value: present, why: 'delete' }],
      )
    }
    assert.ok(book.cache.size <= maxSize, `size ${book.cache.size} is over maxSize ${maxSize}`)
    if (i % 1_000 === 0) book.audit()
  }
}

/** Of one `set`: the value that was under the key goes as overwrite, any other (the new one too) as evict. */
function checkReasons(gone: readonly Gone[], present: Value | undefined, added: Value): void {
  for (const { value, why } of gone) {
    assert.equal(
      why,
      value === present ? 'overwrite' : 'evict',
      `why value ${value.serial} left at set of ${added.serial}`,
    )
  }
  if (present !== undefined)
    assert.ok(
      gone.some(({ value }) => value === present),
      'the overwritten value did not leave',
    )
}

/** What a bounded cache must do beside {@link cacheChecks}. */
export const boundedChecks: readonly Check<CacheSubject>[] = [
  {
    name: 'maxSize is exact: so many values stay, and one more makes one leave as evict (D-030, D-132)',
    run({ factory }) {
      for (const maxSize of [1, 2, 3, 10, 100]) {
        const book = openBook(factory, maxSize)
        for (let i = 0; i < maxSize; i++) book.set(`k${i}`)
        assert.equal(book.gone.length, 0, `a value left before ${maxSize} were there`)
        assert.equal(book.cache.size, maxSize)
        for (let i = 0; i < 3 * maxSize; i++) {
          book.set(`more${i}`)
          assert.equal(book.cache.size, maxSize, 'size')
          assert.equal(book.gone.length, i + 1, 'calls of onEvict')
          assert.equal(book.gone[i]?.why, 'evict')
        }
        book.audit()
      }
    },
  },
  {
    name: 'a value that is not admitted goes as evict before set returns',
    run({ factory }) {
      const book = openBook(factory, 8)
      // What is used often: a kind that weighs newcomers may turn them away.
      for (let i = 0; i < 8; i++) book.set(`often${i}`)
      for (let use = 0; use < 50; use++) for (let i = 0; i < 8; i++) book.cache.get(`often${i}`)
      for (let i = 0; i < 200; i++) {
        const value = book.set(`once${i}`)
        const admitted = book.cache.peek(`once${i}`) === value
        assert.equal(lastWhy(book, value), admitted ? undefined : 'evict', 'the new value')
        assert.equal(book.cache.size, 8)
      }
      book.audit()
    },
  },
  {
    name: 'get counts as a use: what is used again and again outlives what is not',
    run({ factory }) {
      const book = openBook(factory, 20)
      for (let i = 0; i < 20; i++) book.set(`k${i}`)
      for (let round = 0; round < 10; round++) {
        for (let use = 0; use < 5; use++) assert.ok(book.cache.get('k0') !== undefined, 'the value in use has left')
        book.set(`new${round}`)
      }
      assert.ok(book.cache.peek('k0') !== undefined, 'the value in use has left')
      book.audit()
    },
  },
  {
    name: 'peek does not count as a use: with it or without, the same values leave',
    run({ factory }) {
      const leave = (peeking: boolean): string[] => {
        const book = openBook(factory, 10)
        const random = createRandom(7)
        for (let i = 0; i < 500; i++) {
          const key = `k${random(25)}`
          if (random(2) === 0) book.cache.get(key)
          else book.set(key)
          if (peeking) for (let p = 0; p < 25; p++) book.cache.peek(`k${p}`)
        }
        return book.gone.map((gone) => `${gone.key} ${gone.why}`)
      }
      assert.deepEqual(leave(true), leave(false))
    },
  },
  {
    name: 'a maxSize that is no whole number ≥ 1 is an InvalidConfigError',
    run({ factory }) {
      for (const maxSize of [0, -1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY]) {
        const create = (): unknown => factory.create<number>({ maxSize, onEvict: () => {} })
        assertThrows(create, 'ERR_ASHERAH_INVALID_CONFIG', `maxSize ${maxSize}`)
      }
    },
  },
]

/** What an unbounded cache must do beside {@link cacheChecks}. */
export const unboundedChecks: readonly Check<CacheSubject>[] = [
  {
    name: 'nothing leaves by itself',
    run({ factory }) {
      const book = openBook(factory, Number.POSITIVE_INFINITY)
      for (let i = 0; i < 20_000; i++) book.cache.set(`k${i}`, { key: `k${i}`, serial: i })
      assert.equal(book.cache.size, 20_000)
      assert.deepEqual(book.gone, [])
    },
  },
  {
    name: 'a finite maxSize is an InvalidConfigError: it would be ignored (D-030)',
    run({ factory }) {
      for (const maxSize of [0, 1, 1_000, Number.NaN]) {
        const create = (): unknown => factory.create<number>({ maxSize, onEvict: () => {} })
        assertThrows(create, 'ERR_ASHERAH_INVALID_CONFIG', `maxSize ${maxSize}`)
      }
    },
  },
]
