import { spawnSync } from 'node:child_process'
import { isRecord } from './json.ts'
import { publicPackages, workspaceRoot } from './workspace.ts'

/** What a finished command printed and how it ended. */
export interface CommandResult {
  readonly ok: boolean
  readonly stdout: string
  /** Both streams, for a failure's message. */
  readonly output: string
}

/** Runs a command to its end. `npm` and `npx` are found on Windows too. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): CommandResult {
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32' && ['npm', 'npx'].includes(command),
    maxBuffer: 64 * 1024 * 1024,
  })
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`
  return { ok: result.status === 0, stdout: result.stdout ?? '', output }
}

/** Runs pnpm 12, whatever this machine has installed. @throws with its output when it fails. */
export function pnpm(args: readonly string[], cwd: string = workspaceRoot): string {
  const result = run('npx', ['-y', 'pnpm@12', ...args], cwd)
  if (!result.ok) throw new Error(`pnpm ${args.join(' ')} failed:\n${result.output}`)
  return result.stdout
}

/** A packed package. */
export interface Tarball {
  readonly name: string
  /** Its absolute path. */
  readonly path: string
  /** What it holds, from the package's folder. */
  readonly files: readonly string[]
}

/** Packs every public package as it would be published. Build first. */
export function packPublicPackages(destination: string, root: string = workspaceRoot): Tarball[] {
  const filters = publicPackages(root).flatMap(({ name }) => ['--filter', name])
  const printed = pnpm(['--recursive', ...filters, 'pack', '--json', '--pack-destination', destination], root)
  const packed: unknown = JSON.parse(printed.slice(printed.indexOf('[')))
  if (!Array.isArray(packed)) throw new Error(`pnpm pack printed no list: ${printed}`)
  return packed.map((entry: unknown) => {
    if (!isRecord(entry) || typeof entry.name !== 'string' || typeof entry.filename !== 'string') {
      throw new Error(`pnpm pack printed an unknown entry: ${JSON.stringify(entry)}`)
    }
    const files = Array.isArray(entry.files) ? entry.files : []
    return {
      name: entry.name,
      path: entry.filename,
      files: files.flatMap((file: unknown) => (isRecord(file) && typeof file.path === 'string' ? [file.path] : [])),
    }
  })
}
