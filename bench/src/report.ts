import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import type { Row } from './row.ts'

/** A Markdown table of rows. */
export function toMarkdown(rows: readonly Row[]): string {
  const head = ['| work | ours | peer | ours ÷ peer | target | against |', '|---|--:|--:|--:|--:|---|']
  const lines = rows.map((row) => {
    const verdict =
      row.target === null ? '–' : `≤ ${row.target}${row.ratio === null ? '' : row.ratio <= row.target ? ' ✓' : ' ✗'}`
    return `| ${row.id} | ${duration(row.ours)} | ${duration(row.peer)} | ${row.ratio?.toFixed(2) ?? '–'} | ${verdict} | ${row.against ?? '–'} |`
  })
  return [
    `Main-thread CPU time an operation, medians of paired rounds; Node ${process.version} on ${process.platform}-${process.arch}, ${cpus().length} cores.`,
    '',
    ...head,
    ...lines,
    '',
  ].join('\n')
}

/** Writes the rows as JSON, and the table beside them as Markdown. */
export async function writeResults(file: string, rows: readonly Row[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(rows, null, 2)}\n`)
  await writeFile(file.replace(/(\.json)?$/, '.md'), toMarkdown(rows))
}

function duration(ns: number | null): string {
  if (ns === null || Number.isNaN(ns)) return '–'
  return ns < 1_000 ? `${ns.toFixed(0)} ns` : `${(ns / 1_000).toFixed(ns < 100_000 ? 2 : 0)} µs`
}
