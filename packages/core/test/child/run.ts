import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** How a child process ended. */
export interface ChildResult {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

const here = dirname(fileURLToPath(import.meta.url))

/** One of our files as CommonJS, and the files that it imports. */
interface Unit {
  readonly text: string
  readonly imports: readonly string[]
}
const units = new Map<string, Unit>()

function compile(file: string): Unit {
  const known = units.get(file)
  if (known !== undefined) return known
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, isolatedModules: true },
  })
  const imports: string[] = []
  const text = outputText.replace(/require\("(\.[^"]*)"\)/g, (_call, path: string) => {
    const imported = resolve(dirname(file), path)
    imports.push(imported)
    return `load(${JSON.stringify(relative(here, imported))})`
  })
  const unit = { text, imports }
  units.set(file, unit)
  return unit
}

/**
 * A program of this folder and all that it imports of ours, as one CommonJS script: what every supported Node can run, in a
 * process, in a worker, and in a startup snapshot, which allows no second file.
 */
export function bundle(program: string): string {
  const entry = join(here, program)
  const files = new Set([entry])
  // A set goes on over what is added meanwhile.
  for (const file of files) for (const imported of compile(file).imports) files.add(imported)
  const id = (file: string): string => JSON.stringify(relative(here, file))
  const bodies = [...files].map((file) => `${id(file)}(module, exports) {\n${compile(file).text}\n}`)
  return `'use strict'
const loaded = new Map()
const load = (id) => {
  if (!loaded.has(id)) {
    const module = { exports: {} }
    loaded.set(id, module)
    modules[id](module, module.exports)
  }
  return loaded.get(id).exports
}
const modules = {\n${bodies.join(',\n')}\n}
load(${id(entry)})
`
}

/** A folder for a test's files, gone after `use`. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'asherah-core-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs this Node with arguments, for at most 20 seconds; as another user, if asked. */
export function runNode(args: readonly string[], uid?: number): Promise<ChildResult> {
  return new Promise((done, fail) => {
    const user = uid === undefined ? {} : { uid, gid: uid, cwd: '/' }
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000, ...user })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', fail)
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
}

/** Runs a program of this folder. */
export function runProgram(program: string, nodeOptions: readonly string[] = [], uid?: number): Promise<ChildResult> {
  return inFolder((folder) => {
    const script = join(folder, 'program.cjs')
    writeFileSync(script, bundle(program))
    chmodSync(folder, 0o755) // another user must be able to read it
    return runNode([...nodeOptions, script], uid)
  })
}
