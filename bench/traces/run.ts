import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { drawTraces, type Study, toMarkdown, withMeasured } from './page.ts'
import { measureScaling } from './scaling.ts'
import { studyTrace } from './study.ts'
import { createTraces } from './traces.ts'

const PAGE = new URL('../../docs/choosing-a-cache.md', import.meta.url)
const PLOTS = new URL('../../docs/plots/', import.meta.url)
const RESULTS = new URL('../results/', import.meta.url)
const SIZES = [100, 1_000, 10_000] as const
const SCALING_SIZES = [1_000, 100_000, 1_000_000] as const

const program = new Command('traces')
  .description('Hit rates and times of each kind of cache over synthetic traces, against the optimum.')
  .option('--quick', 'short traces, and nothing is written: for a look, not for a quote', false)
  .parse()
const { quick } = program.opts<{ quick: boolean }>()

const traces = createTraces(quick ? 60_000 : 500_000)
const results = traces.flatMap((trace) =>
  SIZES.map((size) => {
    process.stderr.write(`${trace.name}, ${size} entries\n`)
    return studyTrace(trace, size)
  }),
)
process.stderr.write('times by size\n')
const scaling = measureScaling(SCALING_SIZES, quick ? 5_000 : 300_000)
const study: Study = { traces, results, sizes: SCALING_SIZES, scaling }

process.stdout.write(toMarkdown(study))
if (!quick) {
  await Promise.all([mkdir(PLOTS, { recursive: true }), mkdir(RESULTS, { recursive: true })])
  await writeFile(PAGE, withMeasured(await readFile(PAGE, 'utf8'), study))
  for (const { name, svg } of drawTraces(study)) await writeFile(new URL(`cache-${name}.svg`, PLOTS), svg)
  await writeFile(
    new URL('traces.json', RESULTS),
    `${JSON.stringify({ results, sizes: SCALING_SIZES, scaling }, null, 2)}\n`,
  )
}
