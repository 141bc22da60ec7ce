import { lineChart } from '../src/plots/line-chart.ts'
import { formatCount } from '../src/units.ts'
import type { Scaling } from './scaling.ts'
import type { TraceResult } from './study.ts'
import type { Trace } from './traces.ts'

const BEGIN = '<!-- measured: begin (pnpm --filter @asherah/bench traces) -->'
const END = '<!-- measured: end -->'
const KINDS = ['lru', 'lfu', 'slru', 'tinylfu'] as const

/** Everything that one run of the study found. */
export interface Study {
  readonly traces: readonly Trace[]
  readonly results: readonly TraceResult[]
  readonly sizes: readonly number[]
  readonly scaling: readonly Scaling[]
}

/** The page with the measured tables replaced. @throws Error when the page has no place for them. */
export function withMeasured(page: string, study: Study): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`the page has no '${BEGIN}' … '${END}'`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${toMarkdown(study)}\n${page.slice(end)}`
}

/** The tables of hit rates and of times. */
export function toMarkdown({ traces, results, sizes, scaling }: Study): string {
  const hitRows = results.map(({ trace, size, hitRates, optimum }) => {
    const best = Math.max(...KINDS.map((kind) => hitRates[kind] ?? 0))
    const cells = KINDS.map((kind) => {
      const rate = hitRates[kind] ?? 0
      // What differs by less than half a point is no reason to choose.
      return best > 0 && best - rate < 0.005 ? `**${percent(rate)}**` : percent(rate)
    })
    return `| ${trace} | ${formatCount(size)} | ${cells.join(' | ')} | ${percent(optimum)} |`
  })
  const timeRows = scaling.map(({ kind, operation, nanoseconds }) => {
    const bare = scaling.find((other) => other.kind === 'bare Map' && other.operation === operation)
    const growth = growthOf(nanoseconds)
    const beside = growth / growthOf(bare?.nanoseconds ?? [])
    const name = kind === 'core' ? "core's `lruCache()`" : kind
    return `| ${name} | ${operation} | ${nanoseconds.map((ns) => ns.toFixed(0)).join(' | ')} | ${growth.toFixed(1)} | ${beside.toFixed(1)} |`
  })
  return [
    `| trace | what | accesses |`,
    '|---|---|--:|',
    ...traces.map(
      ({ name, description, accesses }) => `| ${name} | ${description} | ${formatCount(accesses.length)} |`,
    ),
    '',
    `| trace | entries | ${KINDS.join(' | ')} | optimum |`,
    `|---|--:|${KINDS.map(() => '--:|').join('')}--:|`,
    ...hitRows,
    '',
    'Nanoseconds of CPU time an operation: `get` of a cached key; `set` of a new key on a full cache, which lets another go.',
    '',
    `| kind | operation | ${sizes.map((size) => `${formatCount(size)} entries`).join(' | ')} | growth | beside a bare Map |`,
    `|---|---|${sizes.map(() => '--:|').join('')}--:|--:|`,
    ...timeRows,
    '',
  ].join('\n')
}

/** A chart for each trace: hits by the cache's size, as a share of the hits that are possible. */
export function drawTraces({ traces, results }: Study): { readonly name: string; readonly svg: string }[] {
  return traces.map(({ name, description }) => ({
    name,
    svg: lineChart({
      title: `Trace “${name}”: hits of each kind`,
      note: `${description}; of the hits that are possible (Belady), more is better`,
      x: { label: 'entries of the cache', format: formatCount },
      y: { label: 'share of the possible hits', format: percent, scale: 'linear' },
      series: KINDS.map((kind) => ({
        name: kind,
        points: results
          .filter((result) => result.trace === name && result.optimum > 0)
          .map(({ size, hitRates, optimum }) => [size, (hitRates[kind] ?? 0) / optimum]),
      })),
    }),
  }))
}

/** The last time as a multiple of the first. */
function growthOf(times: readonly number[]): number {
  return (times.at(-1) ?? Number.NaN) / (times[0] ?? Number.NaN)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
