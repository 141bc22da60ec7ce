import type { Row } from '../row.ts'
import { formatBytes, formatCount, formatDuration } from '../units.ts'
import { type LineChart, lineChart, type Series } from './line-chart.ts'

/** An SVG file of the results. */
export interface Plot {
  readonly name: 'payload-size' | 'concurrency' | 'partitions' | 'memory'
  readonly svg: string
}

/** Where a series has its points from: rows `work/x`, in order of preference. */
interface Source {
  readonly name: string
  readonly from: readonly (readonly [work: string, side: 'ours' | 'peer'])[]
}

const TYPESCRIPT = '@asherah, TypeScript'
const NATIVE = '@asherah, native'
const CRATE = 'crate asherah 1.0.0'

const CHARTS: readonly {
  readonly name: Plot['name']
  readonly chart: Omit<LineChart, 'series'>
  readonly sources: readonly Source[]
  readonly value: (measured: number) => number
}[] = [
  {
    name: 'payload-size',
    chart: {
      title: 'Encrypt to JSON text: payload size against time',
      note: 'Main-thread CPU time, warm keys, less is better. Above 64 KiB native leaves that thread: not drawn.',
      x: { label: 'payload', format: formatBytes },
      y: { label: 'time an operation', format: formatDuration, scale: 'log' },
    },
    sources: [
      { name: TYPESCRIPT, from: [['typescript/encrypt-json', 'ours']] },
      { name: NATIVE, from: [['native/encrypt-json', 'ours']] },
      {
        name: CRATE,
        from: [
          ['native/encrypt-json', 'peer'],
          ['typescript/encrypt-json-crate', 'peer'],
        ],
      },
      { name: 'naive node:crypto', from: [['typescript/encrypt-json', 'peer']] },
    ],
    value: (ns) => ns,
  },
  {
    name: 'concurrency',
    chart: {
      title: 'Concurrent callers against throughput',
      note: 'Each caller awaits one encrypt of 64 B after the other; wall time, warm keys, more is better.',
      x: { label: 'callers at once', format: String },
      y: { label: 'operations a second', format: formatCount, scale: 'linear' },
    },
    sources: [
      { name: TYPESCRIPT, from: [['typescript/concurrent-encrypt', 'ours']] },
      { name: NATIVE, from: [['native/concurrent-encrypt', 'ours']] },
      {
        name: `${CRATE}, async`,
        from: [
          ['native/concurrent-encrypt', 'peer'],
          ['typescript/concurrent-encrypt', 'peer'],
        ],
      },
    ],
    value: (ns) => 1e9 / ns,
  },
  {
    name: 'partitions',
    chart: {
      title: 'Partitions against time of a random access',
      note: 'One encrypt of 64 B, 1,000 cached sessions, memory metastore; main-thread CPU time, less is better.',
      x: { label: 'partitions', format: formatCount },
      y: { label: 'time an operation', format: formatDuration, scale: 'linear' },
    },
    sources: [
      { name: TYPESCRIPT, from: [['typescript/partitions-random', 'ours']] },
      { name: NATIVE, from: [['native/partitions-random', 'ours']] },
      {
        name: CRATE,
        from: [
          ['native/partitions-random', 'peer'],
          ['typescript/partitions-random', 'peer'],
        ],
      },
    ],
    value: (ns) => ns,
  },
  {
    name: 'memory',
    chart: {
      title: 'Partitions against memory per cached key',
      note: 'Live bytes a cached intermediate key: V8 heap and external, and locked. A process a point; less is better.',
      x: { label: 'partitions, each with a cached key', format: formatCount },
      y: { label: 'bytes a key', format: formatCount, scale: 'linear' },
    },
    sources: [
      { name: 'heap', from: [['typescript/cached-key-memory-heap', 'ours']] },
      { name: 'enclave memory', from: [['typescript/cached-key-memory-enclave', 'ours']] },
      { name: 'protected memory', from: [['typescript/cached-key-memory-protected', 'ours']] },
      { name: 'native', from: [['native/cached-key-memory', 'ours']] },
    ],
    value: (bytes) => bytes,
  },
]

/** The plots that these rows are enough for: one whose rows were not measured is left out. */
export function drawPlots(rows: readonly Row[]): Plot[] {
  return CHARTS.flatMap(({ name, chart, sources, value }) => {
    const series = sources.map((source) => seriesOf(source, rows, value)).filter(({ points }) => points.length > 0)
    return series.length === 0 ? [] : [{ name, svg: lineChart({ ...chart, series }) }]
  })
}

function seriesOf({ name, from }: Source, rows: readonly Row[], value: (measured: number) => number): Series {
  const points = new Map<number, number>()
  for (const [work, side] of from) {
    for (const row of rows) {
      const x = row.id.startsWith(`${work}/`) ? Number(row.id.slice(work.length + 1)) : Number.NaN
      const measured = row[side]
      if (Number.isNaN(x) || measured === null || points.has(x)) continue
      points.set(x, value(measured))
    }
  }
  return { name, points: [...points].sort(([a], [b]) => a - b) }
}
