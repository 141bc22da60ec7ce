import { type ExecFileException, execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { type Snippet, withDocumentLines } from './snippets.ts'
import { workspacePackages, workspaceRoot } from './workspace.ts'

/** A snippet as a file that can be compiled and run. */
export interface SnippetFile extends Snippet {
  /** The Markdown file, from the workspace's root. */
  readonly document: string
  /** The absolute path of the TypeScript file. */
  readonly file: string
}

/** A failure of a snippet, at a line of its document (or of another source, when the fault is there). */
export interface SnippetProblem {
  readonly file: string
  readonly line: number
  readonly message: string
}

const runLimitMs = 60_000

/** Writes each snippet to a file of its own in `folder`, from where every package of the workspace resolves by name. */
export function writeSnippets(folder: string, snippets: readonly (Snippet & { document: string })[]): SnippetFile[] {
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  linkModules(join(folder, 'node_modules'))
  return snippets.map((snippet) => {
    const file = join(folder, `${snippet.document.replace(/[^\w-]+/g, '-')}-line-${snippet.line}.ts`)
    writeFileSync(file, withDocumentLines(snippet))
    return { ...snippet, file }
  })
}

/**
 * Links all workspace packages, and each one's dependencies, so that a snippet may import a driver that its package uses; and
 * those of interop, which has what only documents use: web frameworks, and the alias `asherah`.
 */
function linkModules(modules: string): void {
  const link = (target: string, path: string): void => {
    if (!existsSync(path)) symlinkSync(target, path, 'junction')
  }
  for (const { name, dir } of workspacePackages()) {
    mkdirSync(join(modules, name, '..'), { recursive: true })
    link(dir, join(modules, name))
  }
  for (const dir of [...workspacePackages().map((found) => found.dir), join(workspaceRoot, 'interop')]) {
    const own = join(dir, 'node_modules')
    const entries = existsSync(own) ? readdirSync(own).filter((entry) => !entry.startsWith('.')) : []
    for (const entry of entries) {
      const names = entry.startsWith('@') ? readdirSync(join(own, entry)).map((child) => join(entry, child)) : [entry]
      for (const name of names) {
        mkdirSync(join(modules, name, '..'), { recursive: true })
        link(join(own, name), join(modules, name))
      }
    }
  }
}

/** Type-checks all snippets in one program with the workspace's options. */
export function typeProblems(files: readonly SnippetFile[]): SnippetProblem[] {
  const base = ts.readConfigFile(join(workspaceRoot, 'tooling/tsconfig/base.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(base.config?.compilerOptions, workspaceRoot)
  const program = ts.createProgram(
    files.map(({ file }) => file),
    {
      ...options,
      declaration: false,
      isolatedDeclarations: false,
      typeRoots: [join(workspaceRoot, 'node_modules/@types')],
    },
  )
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')
    const { file, start } = diagnostic
    if (file === undefined || start === undefined) return { file: 'tooling/tsconfig/base.json', line: 1, message }
    const line = file.getLineAndCharacterOfPosition(start).line + 1
    const snippet = files.find((entry) => ts.sys.resolvePath(entry.file) === ts.sys.resolvePath(file.fileName))
    return { file: snippet?.document ?? file.fileName.replace(`${workspaceRoot}/`, ''), line, message }
  })
}

/**
 * Runs one snippet on this Node, in an empty folder of its own; undefined when it ends well. Does not block: servers of this
 * process answer it.
 *
 * @param env What the snippet finds in its environment, besides ours.
 */
export async function runProblem(
  snippet: SnippetFile,
  env: Readonly<Record<string, string>> = {},
): Promise<SnippetProblem | undefined> {
  const cwd = mkdtempSync(join(tmpdir(), 'asherah-snippet-'))
  try {
    const { ending, output } = await runNode(snippet.file, cwd, { ...process.env, ...env })
    if (ending === undefined) return undefined
    const shown = output.trim().replaceAll(snippet.file, snippet.document)
    return { file: snippet.document, line: snippet.line, message: `the snippet ${ending}\n${shown}` }
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}

/** How a program ended, undefined for well, and what it printed. */
function runNode(
  file: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ ending: string | undefined; output: string }> {
  return new Promise((resolve) => {
    const args = ['--conditions=asherah-source', file]
    const child = execFile(process.execPath, args, { cwd, env, timeout: runLimitMs }, (error, stdout, stderr) => {
      resolve({ ending: error === null ? undefined : endingOf(error), output: `${stdout}${stderr}` })
    })
    child.stdin?.end()
  })
}

function endingOf({ code, signal, message }: ExecFileException): string {
  if (typeof code === 'number') return `exited ${code}`
  return `was ended by ${signal ?? message} (limit ${runLimitMs / 1000} s)`
}
