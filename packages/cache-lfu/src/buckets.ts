import { Yallist } from 'yallist'

/** The entries with one number of uses, the longest unused first. */
export interface Bucket<E> {
  readonly uses: number
  readonly entries: Yallist<E>
  previous: Bucket<E> | undefined
  next: Bucket<E> | undefined
}

/** Buckets in the order of their uses; none is empty. */
export interface Buckets<E> {
  /** The bucket of the fewest uses. */
  first(): Bucket<E> | undefined
  /**
   * The bucket of this number of uses, made if need be.
   *
   * @param previous The bucket of the greatest number below it; undefined: there is none.
   */
  of(uses: number, previous: Bucket<E> | undefined): Bucket<E>
  dropIfEmpty(bucket: Bucket<E>): void
}

/** A chain: each step looks at a bucket and its neighbours only. */
export function createBuckets<E>(): Buckets<E> {
  let first: Bucket<E> | undefined
  return {
    first: () => first,
    of(uses, previous) {
      const next = previous === undefined ? first : previous.next
      if (next?.uses === uses) return next
      const bucket: Bucket<E> = { uses, entries: new Yallist(), previous, next }
      if (previous === undefined) first = bucket
      else previous.next = bucket
      if (next !== undefined) next.previous = bucket
      return bucket
    },
    dropIfEmpty({ entries, previous, next }) {
      if (entries.length > 0) return
      if (previous === undefined) first = next
      else previous.next = next
      if (next !== undefined) next.previous = previous
    },
  }
}
