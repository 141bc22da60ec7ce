import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { CryptoPolicyOptions } from '../src/index.ts'
import { MINUTE } from './fakes.ts'
import { createModel, type Fault, INTERVAL, LIFE, type Model } from './model-world.ts'

/** What CI runs. `ASHERAH_MODEL_COMMANDS` asks for more, `ASHERAH_MODEL_SEED` for a run again. */
const COMMANDS = Number(process.env.ASHERAH_MODEL_COMMANDS ?? 100_000)
const SEED = Number(process.env.ASHERAH_MODEL_SEED ?? Date.now() % 2 ** 31)
const RUNS_AT_ONCE = 20
const MAX_COMMANDS = 250

type Command = fc.AsyncCommand<{ executed: number }, Model>

function command(name: string, run: (model: Model) => Promise<void>): Command {
  return { check: () => true, run: (_, model) => run(model), toString: () => name }
}

const at = fc.nat(3)
const partition = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const faults: Fault[] = ['metastore', 'kms', 'lost answers', 'none', 'none']

/** Time passes or is set, the store and the KMS fail or are slow: between many encrypts and reads. */
const commands: fc.Arbitrary<Command>[] = [
  ...Array.from({ length: 6 }, () =>
    fc.tuple(at, partition).map(([p, id]) => command(`encrypt ${p} ${id}`, (m) => m.encrypt(p, id))),
  ),
  fc.tuple(at, partition).map(([p, id]) => command(`five encrypts ${p} ${id}`, (m) => m.encrypt(p, id, 5))),
  partition.map((id) => command(`all encrypt ${id}`, (m) => m.together(id))),
  ...Array.from({ length: 3 }, () =>
    fc.tuple(at, fc.nat(1_000)).map(([p, n]) => command(`decrypt ${p} ${n}`, (m) => m.decrypt(p, n))),
  ),
  fc
    .tuple(fc.constantFrom('a', 'b', 'c', 'sk', 'sk', 'sk'), fc.boolean())
    .map(([id, latest]) => command(`revoke ${id} ${latest}`, (m) => m.revoke(id, latest))),
  ...Array.from({ length: 3 }, () =>
    fc
      .oneof(
        fc.integer({ min: 1, max: 20 * MINUTE }),
        fc.constantFrom(INTERVAL, INTERVAL - 1, INTERVAL - 1, INTERVAL / 2, 2 * INTERVAL, LIFE + MINUTE),
      )
      .map((ms) => command(`advance ${ms}`, (m) => m.advance(ms))),
  ),
  fc
    .constantFrom(-3 * 24 * INTERVAL, -INTERVAL, -6 * MINUTE, -MINUTE, MINUTE, 6 * MINUTE, INTERVAL, LIFE)
    .map((ms) => command(`clock jumps ${ms}`, (m) => m.jump(ms))),
  fc.tuple(at, fc.constantFrom(...faults)).map(([p, f]) => command(`fault ${p} ${f}`, (m) => m.fail(p, f))),
  fc
    .tuple(at, fc.constantFrom('before' as const, 'after' as const))
    .map(([p, when]) => command(`slow ${p} ${when}`, (m) => m.slow(p, when))),
  at.map((p) => command(`restart ${p}`, (m) => m.restart(p))),
]

const policies: fc.Arbitrary<CryptoPolicyOptions> = fc.record(
  {
    sharedIntermediateKeyCache: fc.boolean(),
    cacheSessions: fc.boolean(),
    cacheSystemKeys: fc.oneof({ arbitrary: fc.constant(true), weight: 3 }, fc.constant(false)),
    cacheIntermediateKeys: fc.oneof({ arbitrary: fc.constant(true), weight: 3 }, fc.constant(false)),
    intermediateKeyCacheMaxSize: fc.constantFrom(1, 2, 1_000),
    sessionCacheMaxSize: fc.constantFrom(1, 2, 1_000),
    rotation: fc.constantFrom('inline' as const, 'queued' as const),
    staleWhileRevalidate: fc.boolean(),
    staleGraceMs: fc.constantFrom(0, 10 * MINUTE),
    keyReloadJitter: fc.constantFrom(0, 0.1, 0.5),
    maxUsesPerKey: fc.constantFrom(3, 20, 2 ** 31),
  },
  { requiredKeys: [] },
)

it(`${COMMANDS} commands in four processes on one store: no write with a key that may not write, and every record stays readable`, {
  timeout: 600_000,
}, async () => {
  let executed = 0
  for (let round = 0; executed < COMMANDS; round += 1) {
    await fc.assert(
      fc.asyncProperty(
        fc.array(policies, { minLength: 4, maxLength: 4 }),
        fc.commands(commands, { maxCommands: MAX_COMMANDS, size: 'max' }),
        async (mix, cmds) => {
          const model = createModel(mix)
          await fc.asyncModelRun(() => ({ model: { executed: 0 }, real: model }), cmds)
          await model.end()
          executed += model.executed
        },
      ),
      // A failure prints seed and path; ASHERAH_MODEL_SEED with that seed begins there.
      { seed: (SEED + round) % 2 ** 31, numRuns: RUNS_AT_ONCE },
    )
  }
  expect(executed).toBeGreaterThanOrEqual(COMMANDS)
})
