import type { FormatName, Position } from './formats/format.ts'
import { maxPartitionsCounted, type SessionCipher } from './session-cipher.ts'

/** What a run did: the object that `--json` prints. */
export interface Summary {
  readonly command: 'encrypt' | 'decrypt'
  readonly format: FormatName
  /** A path, or `-`. */
  readonly input: string
  readonly output: string
  /** Rows of CSV and JSONL without the header, chunks of a file. */
  readonly rows: number
  /** Values encrypted or decrypted. */
  readonly values: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Distinct partitions that this run met. */
  readonly partitions: number
  /** False when there may be more than `partitions`: counting stops there. */
  readonly partitionsExact: boolean
  readonly keysCreated: { readonly system: number; readonly intermediate: number }
  /** Rows that an interrupted run had done before; 0 for a run from the start. */
  readonly resumedAtRow: number
  readonly elapsedMs: number
  /** Of this run alone. */
  readonly rowsPerSecond: number
  readonly bytesPerSecond: number
}

/** What {@link createSummary} takes. */
export interface SummaryInput {
  readonly command: 'encrypt' | 'decrypt'
  readonly format: FormatName
  readonly input: string
  readonly output: string
  readonly start: Position
  readonly end: Position
  readonly cipher: Pick<SessionCipher, 'partitions' | 'keysCreated'>
  readonly elapsedMs: number
}

/** Adds up a run. */
export function createSummary(run: SummaryInput): Summary {
  const { start, end, cipher, elapsedMs } = run
  const seconds = Math.max(elapsedMs, 1) / 1000
  return {
    command: run.command,
    format: run.format,
    input: run.input,
    output: run.output,
    rows: end.rows,
    values: end.values,
    bytesIn: end.input,
    bytesOut: end.output,
    partitions: cipher.partitions,
    partitionsExact: cipher.partitions < maxPartitionsCounted,
    keysCreated: cipher.keysCreated,
    resumedAtRow: start.rows,
    elapsedMs: Math.round(elapsedMs),
    rowsPerSecond: Math.round((end.rows - start.rows) / seconds),
    bytesPerSecond: Math.round((end.input - start.input) / seconds),
  }
}

/** The summary for people: two lines. */
export function formatSummary(summary: Summary): string {
  const { keysCreated } = summary
  const whole = summary.format === 'file' || summary.format === 'record'
  const what = whole
    ? plural(summary.rows, summary.format === 'record' ? 'record' : 'chunk')
    : `${plural(summary.values, 'value')} in ${plural(summary.rows, 'row')}`
  const resumed = summary.resumedAtRow > 0 ? ` (resumed after ${formatCount(summary.resumedAtRow)})` : ''
  const keys = keysCreated.system + keysCreated.intermediate
  const kinds = keys === 0 ? '' : ` (${keysCreated.system} system, ${keysCreated.intermediate} intermediate)`
  const rate = whole ? `${formatBytes(summary.bytesPerSecond)}/s` : `${formatCount(summary.rowsPerSecond)} rows/s`
  const details = [
    `${formatBytes(summary.bytesIn)} in, ${formatBytes(summary.bytesOut)} out`,
    `${summary.partitionsExact ? '' : 'over '}${plural(summary.partitions, 'partition')}`,
    ...(summary.command === 'encrypt' ? [`${plural(keys, 'key')} created${kinds}`] : []),
    summary.elapsedMs < 1000 ? `${summary.elapsedMs} ms` : `${(summary.elapsedMs / 1000).toFixed(1)} s`,
    rate,
  ]
  const from = summary.input === '-' ? 'standard input' : summary.input
  const to = summary.output === '-' ? 'standard output' : summary.output
  return `${summary.command}ed ${what}${resumed}: ${from} -> ${to}\n  ${details.join(', ')}`
}

/** `1 row`, `20,000 rows` */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `20,000` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** `512 B`, `2.9 MiB` */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
