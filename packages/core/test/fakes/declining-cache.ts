import type { CacheFactory } from '../../src/index.ts'

/** A cache that admits nothing, as an admission policy may. */
export function decliningCache(): CacheFactory {
  return {
    kind: 'declining',
    create: ({ onEvict }) => ({
      size: 0,
      get: () => undefined,
      peek: () => undefined,
      set: (key, value) => onEvict(key, value, 'evict'),
      delete: () => false,
      close: () => {},
    }),
  }
}
