import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

/**
 * A program of this folder and all that it imports of ours, as one CommonJS script: what every supported Node can run, in a
 * process, in a worker, and in a startup snapshot, which allows no second file.
 */
export function bundle(program: string): string {
  const modules = new Map<string, string>()
  const add = (file: string): string => {
    const id = relative(here, file)
    if (modules.has(id)) return id
    modules.set(id, '')
    const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, isolatedModules: true },
    })
    const linked = outputText.replace(/require\("(\.[^"]*)"\)/g, (_call, path: string) => {
      return `load(${JSON.stringify(add(resolve(dirname(file), path)))})`
    })
    modules.set(id, linked)
    return id
  }
  const entry = add(join(here, program))
  const bodies = [...modules].map(([id, text]) => `${JSON.stringify(id)}(module, exports) {\n${text}\n}`)
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
load(${JSON.stringify(entry)})
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

/** Runs this Node with arguments, for at most 20 seconds. */
export function runNode(args: readonly string[]): Promise<ChildResult> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 })
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
export function runProgram(program: string, nodeOptions: readonly string[] = [], args: readonly string[] = []) {
  return inFolder((folder) => {
    const script = join(folder, 'program.cjs')
    writeFileSync(script, bundle(program))
    return runNode([...nodeOptions, script, ...args])
  })
}
