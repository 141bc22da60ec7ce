import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installCiTools, nodeBinary } from '../lib/ci-tools.ts'
import { recordAt } from '../lib/json.ts'
import { packPublicPackages, pnpm, run } from '../lib/pnpm.ts'
import { snippetsOf } from '../lib/snippets.ts'
import { doorsOf, publicPackages, type WorkspacePackage, workspaceRoot } from '../lib/workspace.ts'
import { asCommonJs, asJavaScript, createConsumer, importedPackages } from './consumer.ts'
import { type Registry, startRegistry } from './registry.ts'

// Releases as users meet them: every public package is packed, published to a registry on this machine, and installed from
// there, alone, into an empty folder outside the workspace.

const folder = mkdtempSync(join(tmpdir(), 'asherah-consumers-'))
const consumers = join(folder, 'projects')
let registry: Registry | undefined

function local(): Registry {
  if (registry === undefined) throw new Error('the registry did not start')
  return registry
}

beforeAll(async () => {
  installCiTools()
  pnpm(['build'])
  const packed = join(folder, 'packed')
  mkdirSync(packed)
  const tarballs = packPublicPackages(packed)
  registry = await startRegistry(folder)
  for (const { path } of tarballs) {
    const published = run('npm', ['publish', path, '--tag', 'latest'], folder, registry.env)
    if (!published.ok) throw new Error(`npm publish ${path} failed:\n${published.output}`)
  }
  // What a TypeScript user of Node has; every project below finds it in this folder above it.
  createConsumer(consumers, registry, ['@types/node@26'])
})

afterAll(async () => {
  await registry?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The oldest Node that the package's `engines` allows, of those that CI has. */
function oldestNode({ manifest }: WorkspacePackage): string {
  const range = String(recordAt({ ...manifest }, 'engines').node)
  return nodeBinary(range.startsWith('^20.19') ? '20' : '24')
}

const libraries = publicPackages().filter(({ path }) => path.startsWith('packages/'))
const commands = publicPackages().filter(({ path }) => path.startsWith('apps/'))

describe.each(libraries)('$name alone', (found) => {
  const doors = doorsOf(found).map(({ specifier }) => specifier)
  const listing = `console.log(JSON.stringify(doors.map((door) => Object.keys(door).filter((key) => key !== 'module.exports' && key !== '__esModule').sort())))\n`
  let consumer: ReturnType<typeof createConsumer>
  beforeAll(() => {
    consumer = createConsumer(join(consumers, found.name.replace('/', '-')), local(), [found.name])
  })

  it('is imported by ESM and required by CommonJS, on the oldest Node it supports, with the same exports', () => {
    consumer.write(
      'esm.mjs',
      `${doors.map((door, i) => `import * as d${i} from '${door}'\n`).join('')}const doors = [${doors.map((_, i) => `d${i}`)}]\n${listing}`,
    )
    consumer.write('cjs.cjs', `const doors = [${doors.map((door) => `require('${door}')`)}]\n${listing}`)
    const esm: unknown = JSON.parse(consumer.node(oldestNode(found), 'esm.mjs'))
    expect(esm).toHaveLength(doors.length)
    expect(esm).not.toContainEqual([])
    expect(JSON.parse(consumer.node(oldestNode(found), 'cjs.cjs'))).toEqual(esm)
  })

  it('has types for nodenext (ESM and CommonJS) and for bundlers', () => {
    const uses = doors.map((_, i) => `console.log(typeof d${i})\n`).join('')
    consumer.write('esm.ts', doors.map((door, i) => `import * as d${i} from '${door}'\n`).join('') + uses)
    consumer.write('cjs.cts', doors.map((door, i) => `import d${i} = require('${door}')\n`).join('') + uses)
    expect(consumer.tsc('esm.ts', 'nodenext')).toEqual([])
    expect(consumer.tsc('cjs.cts', 'nodenext')).toEqual([])
    expect(consumer.tsc('esm.ts', 'bundler')).toEqual([])
  })
})

describe.each(commands)('the commands of $name alone', (found) => {
  const bin = found.manifest.bin
  const names = typeof bin === 'string' ? [found.name.split('/').at(-1) ?? ''] : Object.keys(recordAt({ bin }, 'bin'))
  it('are named in package.json', () => {
    expect(names).not.toEqual([])
  })

  it.each(names)('%s --help', (name) => {
    const consumer = createConsumer(join(consumers, `command-${name}`), local(), [found.name])
    const { ok, output } = run('npm', ['exec', '--no', '--', name, '--help'], consumer.dir, local().env)
    expect(output).toContain(name)
    expect(ok).toBe(true)
  })
})

describe('programs of the old `asherah` packages, with the alias of @asherah/asherah', () => {
  const programs = globSync('interop/drop-in/programs/v*.{cjs,mjs}', { cwd: workspaceRoot })
  let consumer: ReturnType<typeof createConsumer>
  beforeAll(() => {
    consumer = createConsumer(join(consumers, 'alias'), local(), ['asherah@npm:@asherah/asherah@*'])
    for (const program of programs)
      consumer.write(basename(program), readFileSync(join(workspaceRoot, program), 'utf8'))
  })

  it.each(['20', '24'] as const)('run unchanged on Node %s', (release) => {
    expect(programs.length).toBeGreaterThan(3)
    for (const program of programs) expect(consumer.node(nodeBinary(release), basename(program)).trim()).toBe('ok')
  })
})

describe("core's README snippet", () => {
  const readme = readFileSync(join(workspaceRoot, 'packages/core/README.md'), 'utf8')
  const snippet = snippetsOf(readme).snippets[0]?.code ?? ''
  let consumer: ReturnType<typeof createConsumer>
  beforeAll(() => {
    consumer = createConsumer(join(consumers, 'readme'), local(), importedPackages(snippet))
  })

  it('runs as an ES module', () => {
    consumer.write('readme.mjs', asJavaScript(snippet))
    consumer.node(process.execPath, 'readme.mjs')
  })

  it('runs as CommonJS', () => {
    consumer.write('readme.cjs', asCommonJs(snippet))
    consumer.node(process.execPath, 'readme.cjs')
  })

  it.each(['nodenext', 'bundler'] as const)('compiles with %s resolution', (resolution) => {
    consumer.write('readme.ts', `${snippet}\nexport {}\n`)
    expect(consumer.tsc('readme.ts', resolution)).toEqual([])
  })
})
