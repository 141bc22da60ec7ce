import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { concurrency } from './groups/concurrency.ts'
import { diagnostics } from './groups/diagnostics.ts'
import { dropIn } from './groups/drop-in.ts'
import { memory } from './groups/memory.ts'
import { nativePath } from './groups/native-path.ts'
import { partitions } from './groups/partitions.ts'
import { protectedMemory } from './groups/protected.ts'
import { sql } from './groups/sql.ts'
import { typescriptPath } from './groups/typescript-path.ts'
import { drawPlots } from './plots/plots.ts'
import { toMarkdown, writeResults } from './report.ts'
import type { Group, Row } from './row.ts'

const GROUPS: readonly Group[] = [
  typescriptPath,
  protectedMemory,
  nativePath,
  concurrency,
  partitions,
  memory,
  diagnostics,
  sql,
  dropIn,
]

const program = new Command('bench')
  .description('Times this project against its peers: the same work, in turn, in one process.')
  .option('--quick', 'fewer and shorter rounds: for a look, not for a quote', false)
  .option('--only <group>', `one of ${GROUPS.map((group) => group.name).join(', ')}`)
  .option('--json <file>', 'where the results go', fileURLToPath(new URL('../results/latest.json', import.meta.url)))
  .option('--no-plots', 'no SVG files beside the results')
  .parse()

const options = program.opts<{ quick: boolean; only?: string; json: string; plots: boolean }>()
const chosen = GROUPS.filter((group) => options.only === undefined || group.name === options.only)
if (chosen.length === 0)
  program.error(`there is no group ${options.only}: take one of ${GROUPS.map((g) => g.name).join(', ')}`)

const rows: Row[] = []
for (const group of chosen) {
  process.stderr.write(`${group.name}…\n`)
  await group.run({
    quick: options.quick,
    report(row) {
      rows.push(row)
      process.stderr.write(`  ${row.id}${row.ratio === null ? '' : `  ${row.ratio.toFixed(2)}`}\n`)
    },
  })
}
await writeResults(options.json, rows, options.plots ? drawPlots(rows) : [])
process.stdout.write(toMarkdown(rows))
