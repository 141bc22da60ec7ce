import { createByteQueue } from './byte-queue.ts'

/** One line: its text without the line feed, and its length with it. */
export interface Line {
  readonly bytes: Buffer
  /** Bytes of input that the line takes, its line feed included. */
  readonly length: number
}

/** What {@link readLines} takes. */
export interface ReadLinesOptions {
  readonly maxLineBytes: number
  /** Called with how many lines came before, for a line over the limit; throws. */
  tooLong(linesBefore: number): never
}

/**
 * Splits a stream at line feeds: the lines of each chunk together, the last one perhaps without a line feed.
 *
 * Memory is bounded by `maxLineBytes` plus one chunk.
 */
export async function* readLines(
  source: AsyncIterable<Uint8Array>,
  options: ReadLinesOptions,
): AsyncGenerator<readonly Line[], void, void> {
  const queue = createByteQueue()
  let count = 0
  for await (const chunk of source) {
    const before = queue.length
    queue.push(chunk)
    const bytes = queue.bytes()
    const lines: Line[] = []
    let start = 0
    // What waited from before has no line feed: it was searched then.
    for (let end = bytes.indexOf(10, before); end !== -1; end = bytes.indexOf(10, start)) {
      lines.push({ bytes: bytes.subarray(start, end), length: end + 1 - start })
      start = end + 1
    }
    if (bytes.length - start > options.maxLineBytes) options.tooLong(count + lines.length)
    queue.consume(start)
    count += lines.length
    if (lines.length > 0) yield lines
  }
  if (queue.length > 0) yield [{ bytes: queue.bytes(), length: queue.length }]
}
