import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { preparedFolder, runTool, type ToolRun } from '@asherah/testing/services'
import type { JsonLinesProcess } from './json-lines-process.ts'
import { startJsonLines } from './json-lines-process.ts'

/** A peer that can be started, or why it cannot on this machine. */
export type Peer =
  | { readonly available: true; readonly start: Start }
  | { readonly available: false; readonly reason: string }

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
  return peer(async () => {
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
    return (variables) => startJsonLines('java', [...flags, '-cp', classpath, 'Peer'], variables)
  })
}

/**
 * The Rust Asherah (`python/requirements.txt` says which), as a program. The first use makes a virtual environment in
 * the user's cache folder and installs the wheel there with pip.
 */
export function rustPeer(): Promise<Peer> {
  return peer(async () => {
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
    return (variables) => startJsonLines(join(folder, python), ['-B', join(root, 'python', 'peer.py')], variables)
  })
}

async function peer(prepare: () => Promise<Start>): Promise<Peer> {
  try {
    return { available: true, start: await prepare() }
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
