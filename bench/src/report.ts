import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import type { Plot } from './plots/plots.ts'
import type { Row } from './row.ts'
import { formatBytes } from './units.ts'

/** A Markdown table of rows. */
export function toMarkdown(rows: readonly Row[]): string {
  const head = ['| work | ours | peer | ours ÷ peer | target | against |', '|---|--:|--:|--:|--:|---|']
  const lines = rows.map((row) => {
    const verdict =
      row.target === null ? '–' : `≤ ${row.target}${row.ratio === null ? '' : row.ratio <= row.target ? ' ✓' : ' ✗'}`
    return `| ${row.id} | ${measured(row.ours, row)} | ${measured(row.peer, row)} | ${row.ratio?.toFixed(2) ?? '–'} | ${verdict} | ${row.against ?? '–'} |`
  })
  return [
    `Main-thread CPU time an operation, or wall time or memory where the row says so; medians of paired rounds; Node ${process.version} on ${process.platform}-${process.arch}, ${cpus().length} cores.`,
    '',
    ...head,
    ...lines,
    '',
  ].join('\n')
}

/** Writes the rows as JSON, and beside them the table as Markdown and the plots. */
export async function writeResults(file: string, rows: readonly Row[], plots: readonly Plot[]): Promise<void> {
  const beside = (ending: string): string => file.replace(/(\.json)?$/, ending)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(rows, null, 2)}\n`)
  await writeFile(beside('.md'), toMarkdown(rows))
  for (const { name, svg } of plots) await writeFile(beside(`-${name}.svg`), svg)
}

function measured(value: number | null, { unit }: Row): string {
  if (value === null || Number.isNaN(value)) return '–'
  if (unit === 'bytes') return formatBytes(value)
  const text = value < 1_000 ? `${value.toFixed(0)} ns` : `${(value / 1_000).toFixed(value < 100_000 ? 2 : 0)} µs`
  return unit === 'wall-ns' ? `${text} wall` : text
}
