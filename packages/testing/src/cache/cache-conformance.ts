import { type CacheFactory, checkKnownOptions } from '@asherah/core/backend'
import { type Check, registerChecks } from '../check.ts'
import { boundedChecks, type CacheSubject, cacheChecks, unboundedChecks } from './cache-checks.ts'
import { sessionChecks } from './session-checks.ts'

/** Options of {@link cacheConformance}. */
export interface CacheConformanceOptions {
  /** For the title of the tests; default `a cache`. */
  readonly name?: string
  /** Makes the factory; called once. */
  create(): CacheFactory | Promise<CacheFactory>
  /** False: a kind whose only `maxSize` is Infinity. Default true. */
  readonly bounded?: boolean
}

/** The checks of one call. */
export function selectCacheChecks(bounded: boolean): readonly Check<CacheSubject>[] {
  return [...cacheChecks, ...(bounded ? boundedChecks : unboundedChecks), ...sessionChecks]
}

/**
 * Registers the conformance tests of a cache kind with vitest.
 *
 * @throws InvalidConfigError for an unknown option.
 * @example
 * cacheConformance({ name: 'lru', create: () => lruCache() })
 */
export function cacheConformance(options: CacheConformanceOptions): void {
  checkKnownOptions('cacheConformance', options, ['name', 'create', 'bounded'])
  const { name = 'a cache', bounded = true } = options
  registerChecks<CacheSubject>({
    title: `cache conformance: ${name}${bounded ? '' : ' (unbounded)'}`,
    checks: selectCacheChecks(bounded),
    setUp: async () => ({ factory: await options.create(), bounded }),
    tearDown() {},
  })
}
