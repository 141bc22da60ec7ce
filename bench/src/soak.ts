import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { createCompactMetastore } from './soak/compact-metastore.ts'
import { runLoad } from './soak/load.ts'
import { createSoakFactory, SOAK_PATHS, type SoakPath } from './soak/soak-factory.ts'
import { slopeOf, takeVitals } from './soak/vitals.ts'
import { runWorkers } from './soak/workers.ts'
import { formatBytes, formatCount } from './units.ts'

const program = new Command('soak')
  .description('One factory under load for a while: does anything grow, does anybody wait?')
  .option('--minutes <n>', 'how long the load runs after its warm-up', Number, 10)
  .option('--partitions <n>', 'how many there are', Number, 1_000_000)
  .option('--workers <n>', 'threads that start and stop', Number, 64)
  .addOption(new Option('--path <path>', 'where the keys live').choices(SOAK_PATHS).default('heap'))
  .option('--json <file>', 'where the results go', fileURLToPath(new URL('../results/soak.json', import.meta.url)))
  .parse()

const options = program.opts<{ minutes: number; partitions: number; workers: number; path: SoakPath; json: string }>()
for (const name of ['minutes', 'partitions', 'workers'] as const) {
  if (!(options[name] >= 0)) program.error(`--${name} is a number`)
}

/** As many partitions as the factory remembers uses of keys for: until then its memory grows, and may. */
const REMEMBERED_KEYS = 66_000
/** A run is long enough for a slope from here on: V8 takes minutes to settle on the size of its heap. */
const SLOPE_FROM_SECONDS = 540
const MAX_SLOPE = 1_048_576
const MAX_LIVE_GROWTH = 4 * 1_048_576
const MAX_DELAY_MS = 20

const { signal } = new AbortController()
const metastore = createCompactMetastore(options.partitions)
const { factory, close } = createSoakFactory(options.path, metastore)
const say = (text: string): void => void process.stderr.write(`${text}\n`)

say(
  `warm-up: ${formatCount(Math.min(REMEMBERED_KEYS, options.partitions))} partitions, then ${warmUpSeconds()} s of load`,
)
const ids = Array.from({ length: Math.min(REMEMBERED_KEYS, options.partitions) }, (_, i) => `p${i}`)
const cold = (await factory.warm(ids, { concurrency: 64 })).filter(({ ok }) => !ok)
if (cold.length > 0) throw new Error(`${cold.length} partitions could not be warmed`)
const load = { partitions: options.partitions, signal }
await runLoad(factory, { ...load, seconds: warmUpSeconds() })
await runWorkers(Math.min(8, options.workers), options.path)
const before = await takeVitals(signal)

say(`load: ${options.minutes} min`)
const result = await runLoad(factory, { ...load, seconds: options.minutes * 60 })
say(`${options.workers} threads`)
const ended = await runWorkers(options.workers, options.path)
const after = await takeVitals(signal)
const stats = factory.stats()
await close()
const closed = factory.stats()

const slope = options.minutes * 60 >= SLOPE_FROM_SECONDS ? slopeOf(result.rss) : undefined
const { openKeys, lockedBytes } = stats
const open = openKeys.systemKeys + openKeys.intermediateKeys
/** Each: what, how much, and whether it is good; undefined: told, not judged. */
const lines: readonly (readonly [what: string, value: string, good: boolean | undefined])[] = [
  [
    'operations, of which cold partitions were made',
    `${formatCount(result.operations)}, ${formatCount(metastore.stored)}`,
    undefined,
  ],
  ['operations a second', formatCount(result.operations / (options.minutes * 60)), undefined],
  ['keys open, locked memory', `${open}, ${lockedBytes === undefined ? '–' : formatBytes(lockedBytes)}`, open <= 5_001],
  [
    'live memory before and after',
    `${formatBytes(before.liveBytes)}, ${formatBytes(after.liveBytes)}`,
    after.liveBytes - before.liveBytes <= MAX_LIVE_GROWTH,
  ],
  ['resident set before and after', `${formatBytes(before.rssBytes)}, ${formatBytes(after.rssBytes)}`, undefined],
  [
    'slope of the resident set, a minute',
    slope === undefined ? 'too short a run' : formatBytes(slope),
    slope === undefined ? undefined : slope <= MAX_SLOPE,
  ],
  [
    'handles and requests before and after',
    `${before.resources}, ${after.resources}`,
    after.resources <= before.resources,
  ],
  ['listeners before and after', `${before.listeners}, ${after.listeners}`, after.listeners <= before.listeners],
  ['threads that started and ended well', `${ended} of ${options.workers}`, ended === options.workers],
  [
    'sessions and keys open after close',
    `${closed.openSessions}, ${closed.openKeys.systemKeys + closed.openKeys.intermediateKeys}`,
    closed.openSessions + closed.openKeys.systemKeys + closed.openKeys.intermediateKeys === 0,
  ],
  ['event-loop delay p99', `${result.delayP99Ms.toFixed(1)} ms`, undefined],
  // Told, not judged: a neighbour on the machine delays any process.
  [
    `event-loop delay p99 in bursts of cold partitions (${MAX_DELAY_MS} ms is good)`,
    `${result.burstDelayP99Ms.toFixed(1)} ms`,
    undefined,
  ],
]
const verdict = (good: boolean | undefined): string => (good === undefined ? '–' : good ? '✓' : '✗')
const markdown = [
  `Soak: ${formatCount(options.partitions)} partitions, ${options.minutes} min, keys: ${options.path}; Node ${process.version} ${process.execArgv.filter((flag) => flag.startsWith('--max')).join(' ')}.`,
  '',
  '| what | value | |',
  '|---|--:|---|',
  ...lines.map(([what, value, good]) => `| ${what} | ${value} | ${verdict(good)} |`),
  '',
].join('\n')

await mkdir(dirname(options.json), { recursive: true })
await writeFile(options.json, `${JSON.stringify({ options, before, after, result, stats, slope, ended }, null, 2)}\n`)
await writeFile(options.json.replace(/(\.json)?$/, '.md'), markdown)
process.stdout.write(markdown)
if (lines.some(([, , good]) => good === false)) process.exitCode = 1

function warmUpSeconds(): number {
  return Math.min(60, Math.max(3, Math.round(options.minutes * 12)))
}
