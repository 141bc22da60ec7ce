import { deepStrictEqual } from 'node:assert'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createInsecureTestKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { build } from 'esbuild'
import { type Effort, measurePaired } from '../measure.ts'
import type { Group } from '../row.ts'

type Core = typeof import('@asherah/core')

const CORE = fileURLToPath(import.meta.resolve('@asherah/core'))
const PLAINTEXT = new Uint8Array(64).fill(1)
const BATCH = 200

/** The diagnostics channels with no subscriber, against a build of core whose channels are constants. */
export const diagnostics: Group = {
  name: 'diagnostics',
  async run({ quick, report }) {
    const effort: Effort = quick ? { rounds: 5, sideMs: 300 } : { rounds: 25, sideMs: 800 }
    const dir = await mkdtemp(join(tmpdir(), 'asherah-bench-'))
    try {
      const ours = await openSession(await bundle(join(dir, 'with.mjs'), false))
      const without = await openSession(await bundle(join(dir, 'without.mjs'), true))
      const measured = await measurePaired({ batch: BATCH, run: ours }, { batch: BATCH, run: without }, effort)
      report({ id: 'typescript/diagnostics/64', against: 'a build without channels', target: 1.02, ...measured })
    } finally {
      await rm(dir, { recursive: true })
    }
  },
}

async function openSession(core: Core): Promise<() => Promise<void>> {
  const factory = new core.SessionFactory({
    service: 'service',
    product: 'product',
    metastore: createMemoryMetastore(),
    kms: createInsecureTestKms(),
  })
  const session = factory.getSession('partition')
  deepStrictEqual(await session.decrypt(await session.encryptToJson(PLAINTEXT)), PLAINTEXT)
  return async () => {
    for (let i = 0; i < BATCH; i++) await session.encryptToJson(PLAINTEXT)
  }
}

/** Bundles core, with its channels as they are or as constants that a compiler can remove. */
async function bundle(outfile: string, withoutChannels: boolean): Promise<Core> {
  await build({
    entryPoints: [CORE],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    plugins: [
      {
        name: 'without-channels',
        setup({ onLoad }) {
          onLoad({ filter: /[\\/]diagnostics\.ts$/ }, async ({ path }) => {
            const source = await readFile(path, 'utf8')
            return { loader: 'ts', contents: withoutChannels ? STUB : source }
          })
        },
      },
    ],
  })
  return import(pathToFileURL(outfile).href)
}

const STUB = `
const none = { hasSubscribers: false, publish() {} }
export const channels = { cache: none, key: none, warning: none, trace: {} }
export const isTraced = () => false
export const trace = (_channel, _context, call) => call()
export const traceNow = trace
`
