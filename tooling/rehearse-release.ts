import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CommandResult, run } from './lib/pnpm.ts'
import { publicPackages, workspaceRoot } from './lib/workspace.ts'

// Does what the release workflow does (`changeset version`, `changeset pack`, publish) in a copy of the tree, and publishes
// nothing. Build first.

const changeset = fileURLToPath(import.meta.resolve('@changesets/cli/bin.js'))
const environment = { ...process.env, pnpm_config_verify_deps_before_run: 'false', CI: 'true' }

/** Runs one command in the copy. @throws with its output when it fails. */
function step(title: string, copy: string, command: string, args: readonly string[]): CommandResult {
  const result = run(command, args, copy, environment)
  if (!result.ok) throw new Error(`${title} failed:\n${result.output}`)
  console.log(`${title}: ok`)
  return result
}

/** Copies what git would commit, and the built files. */
function copyTree(copy: string): void {
  const listed = step('list the tree', workspaceRoot, 'git', [
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
  ])
  const built = publicPackages().map(({ path }) => `${path}/dist`)
  for (const file of [...listed.stdout.split('\0').filter((name) => name !== ''), ...built]) {
    if (!existsSync(join(workspaceRoot, file))) continue
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(workspaceRoot, file), join(copy, file), { recursive: true })
  }
  // `changelog` of .changeset/config.json is resolved from the copy.
  mkdirSync(join(copy, 'node_modules'))
  symlinkSync(join(workspaceRoot, 'node_modules/@changesets'), join(copy, 'node_modules/@changesets'), 'junction')
}

/** A changeset for every package, so that the rehearsal also works right after a release, when none is pending. */
function addChangeset(copy: string): void {
  const lines = publicPackages().map(({ name }) => `'${name}': patch`)
  writeFileSync(join(copy, '.changeset/rehearsal.md'), `---\n${lines.join('\n')}\n---\n\nRehearsal.\n`)
}

/** Every public package must have a new version and a changelog, and every changeset must be used up. */
function versionProblems(copy: string): string[] {
  const before = new Map(publicPackages().map(({ name, manifest }) => [name, manifest.version]))
  const problems = publicPackages(copy).flatMap(({ name, path, dir, manifest }) => [
    ...(manifest.version === before.get(name) ? [`${name} still has version ${String(manifest.version)}`] : []),
    ...(existsSync(join(dir, 'CHANGELOG.md')) ? [] : [`${path}/CHANGELOG.md was not written`]),
  ])
  const left = readdirSync(join(copy, '.changeset')).filter((file) => file.endsWith('.md') && file !== 'README.md')
  return [...problems, ...left.map((file) => `.changeset/${file} was not used`)]
}

const copy = mkdtempSync(join(tmpdir(), 'asherah-release-'))
try {
  copyTree(copy)
  addChangeset(copy)
  const git = ['-c', 'user.name=rehearsal', '-c', 'user.email=rehearsal@localhost', '-c', 'commit.gpgsign=false']
  step('git init', copy, 'git', ['init', '--quiet', '--initial-branch=main'])
  step('git add', copy, 'git', ['add', '--all'])
  step('git commit', copy, 'git', [...git, 'commit', '--quiet', '--no-verify', '--message', 'rehearsal'])
  step('changeset version', copy, process.execPath, [changeset, 'version'])
  const problems = versionProblems(copy)
  if (problems.length > 0) throw new Error(problems.join('\n'))

  // changesets calls `pnpm`, which npx puts on the path.
  const withPnpm = ['-y', '--package', 'pnpm@12', '--']
  step('changeset pack', copy, 'npx', [...withPnpm, process.execPath, changeset, 'pack', '--out-dir', 'packed'])
  const tarballs = globSync('packed/**/*.tgz', { cwd: copy }).sort()
  if (tarballs.length !== publicPackages().length) {
    throw new Error(
      `changeset pack made ${tarballs.length} tarballs of ${publicPackages().length} public packages: ${tarballs.join(', ')}`,
    )
  }
  for (const tarball of tarballs) {
    step(`publish --dry-run ${tarball}`, copy, 'npx', [
      '-y',
      'pnpm@12',
      'publish',
      tarball,
      '--dry-run',
      '--no-git-checks',
    ])
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
