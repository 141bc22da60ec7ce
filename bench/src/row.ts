import type { Measured } from './measure.ts'

/** One line of the results. */
export interface Row extends Measured {
  /** `group/work/size`. */
  readonly id: string
  /** What `ours` and `peer` are. Default: nanoseconds of main-thread CPU time. */
  readonly unit?: 'wall-ns' | 'bytes'
  /** What `peer` is. */
  readonly against: string | null
  /** The greatest `ratio` that is good enough; null: reported only. */
  readonly target: number | null
}

/** What a group of rows is given. */
export interface GroupContext {
  readonly quick: boolean
  /** Called with each row as it is measured. */
  report(row: Row): void
}

/** Measures some rows. Each asserts equal results before it times anything. */
export interface Group {
  readonly name: string
  run(context: GroupContext): Promise<void>
}
