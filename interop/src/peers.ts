import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { preparedFolder, runTool, type ToolRun } from '@asherah/testing/services'
import type { JsonLinesProcess } from './json-lines-process.ts'
import { startJsonLines } from './json-lines-process.ts'

/** What a test needs, or why it cannot be had on this machine. */
type Here<T> = ({ readonly available: true } & T) | { readonly available: false; readonly reason: string }

/** A peer that can be started. */
export type Peer = Here<{ readonly start: Start }>

/** The Bun runtime, by the path of its program. */
export type BunRuntime = Here<{ readonly path: string }>

/** Starts the peer, with these variables beside the few that any program needs. */
export type Start = (variables?: Readonly<Record<string, string>>) => JsonLinesProcess

const root = join(import.meta.dirname, '..')

/** Why a peer cannot be had here: a tool or a download is missing. Anything else that goes wrong is an error. */
class Unavailable extends Error {}

/**
 * The Java Asherah (`java/pom.xml` says which), as a program. The first use downloads its jars with Maven and compiles
 * `Peer.java`, into the user's cache folder.
 *
 * @throws Error when `Peer.java` does not compile.
 */
export function javaPeer(): Promise<Peer> {
  return ifHere<{ start: Start }>(async () => {
    const java = outputOf('java', await runTool('java', ['-version']))
    const release = Number(/version "(\d+)/.exec(java)?.[1])
    if (!(release >= 17)) throw new Unavailable(`java is ${release}, and 17 or newer is needed`)

    const sources = ['pom.xml', join('src', 'main', 'java', 'Peer.java')].map((file) => join(root, 'java', file))
    const folder = await preparedFolder('java', [String(release), ...sources.map(textOf)], async (draft) => {
      cpSync(join(root, 'java', 'pom.xml'), join(draft, 'pom.xml'))
      const jars = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=lib']
      outputOf('mvn', await runTool(process.platform === 'win32' ? 'mvn.cmd' : 'mvn', jars, { cwd: draft }))
      mkdirSync(join(draft, 'classes'))
      const compile = ['--release', '17', '-encoding', 'UTF-8', '-cp', join(draft, 'lib', '*'), '-d', 'classes']
      const compiled = await runTool('javac', [...compile, ...sources.slice(1)], { cwd: draft })
      if (compiled.status === 'failed') throw new Error(`Peer.java does not compile:\n${compiled.output}`)
      outputOf('javac', compiled)
    })
    const classpath = [join(folder, 'classes'), join(folder, 'lib', '*')].join(delimiter)
    const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    return { start: (variables) => startJsonLines('java', [...flags, '-cp', classpath, 'Peer'], variables) }
  })
}

/**
 * The Rust Asherah (`python/requirements.txt` says which), as a program. The first use makes a virtual environment in
 * the user's cache folder and installs the wheel there with pip.
 */
export function rustPeer(): Promise<Peer> {
  return ifHere<{ start: Start }>(async () => {
    const command = process.platform === 'win32' ? 'python' : 'python3'
    const version = outputOf(command, await runTool(command, ['--version']))
    const requirements = join(root, 'python', 'requirements.txt')
    const python = process.platform === 'win32' ? join('Scripts', 'python.exe') : join('bin', 'python')
    const folder = await preparedFolder('python', [version, textOf(requirements)], async (draft) => {
      outputOf(`${command} -m venv`, await runTool(command, ['-m', 'venv', draft]))
      // Only a wheel: the source package would need a Rust toolchain.
      const install = ['-m', 'pip', 'install', '-q', '--only-binary', ':all:', '-r', requirements]
      outputOf('pip', await runTool(join(draft, python), install))
    })
    const program = join(root, 'python', 'peer.py')
    return { start: (variables) => startJsonLines(join(folder, python), ['-B', program], variables) }
  })
}

const BUN_VERSION = '1.4.5'

/** Bun, from the npm package of its binary for this platform. The first use installs that in the user's cache folder. */
export function bunRuntime(): Promise<BunRuntime> {
  return ifHere<{ path: string }>(async () => {
    const name = bunPackage()
    const windows = process.platform === 'win32'
    const program = join('node_modules', name, 'bin', windows ? 'bun.exe' : 'bun')
    const folder = await preparedFolder('bun', [name, BUN_VERSION], async (draft) => {
      writeFileSync(join(draft, 'package.json'), '{ "private": true }\n')
      const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${BUN_VERSION}`]
      outputOf('npm', await runTool(windows ? 'npm.cmd' : 'npm', install, { cwd: draft }))
      // Some builds need a newer CPU or libc than this one.
      outputOf('bun', await runTool(join(draft, program), ['--version']))
    })
    return { path: join(folder, program) }
  })
}

function bunPackage(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const cpu = process.arch === 'arm64' ? 'aarch64' : process.arch
  const musl =
    process.platform === 'linux' && existsSync(`/lib/ld-musl-${process.arch === 'x64' ? 'x86_64' : cpu}.so.1`)
  return `@oven/bun-${system}-${cpu}${musl ? '-musl' : ''}`
}

async function ifHere<T extends object>(prepare: () => Promise<T>): Promise<Here<T>> {
  try {
    return { available: true, ...(await prepare()) }
  } catch (error) {
    if (error instanceof Unavailable) return { available: false, reason: error.message }
    throw error
  }
}

function outputOf(name: string, run: ToolRun): string {
  if (run.status === 'missing') throw new Unavailable(`${name} is not on the PATH`)
  if (run.status === 'failed') throw new Unavailable(`${name} failed:\n${run.output.slice(-4_000)}`)
  return run.output
}

function textOf(file: string): string {
  return readFileSync(file, 'utf8')
}
