import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { recordAt } from './lib/json.ts'
import { packPublicPackages, run, type Tarball } from './lib/pnpm.ts'
import { publicPackages, workspaceRoot } from './lib/workspace.ts'

// Packs every public package, as `pnpm publish` would, and looks at the tarballs: what they hold, publint, attw.

const mustHold = ['package.json', 'README.md', 'LICENSE']
const attw = fileURLToPath(new URL('dist/index.js', import.meta.resolve('@arethetypeswrong/cli/package.json')))

/** Files that have no place in a published package, or are missing from it. */
function contentProblems({ files }: Tarball): string[] {
  const stray = files.filter(
    (file) => !mustHold.includes(file) && !/^(dist\/|CHANGELOG\.md$|schema[\w.-]*\.(sql|json)$)/.test(file),
  )
  const tests = files.filter((file) => /(^|\/)(test|fixtures)\/|\.test\.|\.tsbuildinfo$/.test(file))
  return [
    ...mustHold.filter((file) => !files.includes(file)).map((file) => `${file} is missing`),
    ...[...new Set([...stray, ...tests])].map((file) => `${file} should not be published`),
  ]
}

async function publintProblems({ path }: Tarball): Promise<string[]> {
  const bytes = readFileSync(path)
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const { messages, pkg } = await publint({ pack: { tarball }, level: 'suggestion', strict: true })
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`)
}

/** The exports that are files rather than modules, such as a schema: they have no types. */
function dataEntries(name: string): string[] {
  const found = publicPackages().find((one) => one.name === name)
  const exportsMap = recordAt(recordAt({ ...found?.manifest }, 'publishConfig'), 'exports')
  return Object.entries(exportsMap).flatMap(([subpath, target]) =>
    typeof target === 'string' && !/\.(js|json)$/.test(target) ? [subpath] : [],
  )
}

function attwProblems({ name, path }: Tarball): string[] {
  // ESM only, with an `exports` map: node10 resolution cannot work, and `require` of ESM is what every supported Node does.
  const args = [
    attw,
    path,
    '--profile',
    'node16',
    '--ignore-rules',
    'cjs-resolves-to-esm',
    '--format',
    'ascii',
    '--no-emoji',
  ]
  const data = dataEntries(name)
  if (data.length > 0) args.push('--exclude-entrypoints', ...data)
  const { ok, output } = run(process.execPath, args, workspaceRoot)
  return ok ? [] : [`attw:\n${output}`]
}

const folder = mkdtempSync(join(tmpdir(), 'asherah-packages-'))
try {
  const tarballs = packPublicPackages(folder)
  let problemCount = 0
  for (const tarball of tarballs) {
    const problems = [...contentProblems(tarball), ...(await publintProblems(tarball)), ...attwProblems(tarball)]
    problemCount += problems.length
    for (const problem of problems) console.error(`${tarball.name}: ${problem}`)
  }
  console.log(`packages: ${tarballs.length} tarballs, ${problemCount} problems`)
  process.exitCode = problemCount === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
