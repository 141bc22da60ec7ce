import { Presets, SingleBar } from 'cli-progress'
import type { Position } from './formats/format.ts'
import { formatBytes, formatCount } from './summary.ts'

/** Shows how far a run is. */
export interface Progress {
  update(position: Position): void
  /** Takes what it showed off the screen; idempotent. */
  stop(): void
}

/** What {@link createProgress} takes. */
export interface ProgressOptions {
  readonly enabled: boolean
  /** Where a bar goes; nothing is shown unless this is a terminal. */
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean | undefined }
  /** Bytes of input; undefined for a pipe, whose end nobody knows. */
  readonly total: number | undefined
  /** Where the run starts. */
  readonly start: Position
}

/** A bar on a terminal, and nothing elsewhere. */
export function createProgress(options: ProgressOptions): Progress {
  const { enabled, stream, total, start } = options
  if (!enabled || stream.isTTY !== true) return { update() {}, stop() {} }
  const known = total !== undefined
  const bar = new SingleBar(
    {
      stream,
      format: known
        ? '{bar} {percentage}% | {done} of {all} | {rows} rows | {eta_formatted} left'
        : '{done} | {rows} rows | {duration_formatted}',
      barsize: 24,
      clearOnComplete: true,
      hideCursor: false,
      etaBuffer: 100,
      gracefulExit: false,
    },
    Presets.shades_classic,
  )
  const payload = (position: Position): object => ({
    done: formatBytes(position.input),
    all: formatBytes(total ?? 0),
    rows: formatCount(position.rows),
  })
  bar.start(total ?? 1, start.input, payload(start))
  return {
    update: (position) => bar.update(known ? position.input : 0, payload(position)),
    stop() {
      // A second time would erase what has been printed since.
      if (bar.isActive) bar.stop()
    },
  }
}
