import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { run } from '../lib/pnpm.ts'
import { workspaceRoot } from '../lib/workspace.ts'
import type { Registry } from './registry.ts'

/** A project of a user, outside the workspace. */
export interface Consumer {
  readonly dir: string
  /** Writes a file into it. */
  write(file: string, text: string): void
  /** Runs a file of it, with an empty working folder. @throws with the output when it fails. */
  node(binary: string, file: string): string
  /** What `tsc --noEmit` says about a file of it, or about our declarations; empty when all is well. */
  tsc(file: string, resolution: 'nodenext' | 'bundler'): string[]
}

/** Makes a folder and installs packages into it from the local registry. @throws with npm's output. */
export function createConsumer(dir: string, registry: Registry, packages: readonly string[]): Consumer {
  mkdirSync(dir, { recursive: true })
  const write = (file: string, text: string): void => writeFileSync(join(dir, file), text)
  const must = (command: string, args: readonly string[], cwd = dir): string => {
    const result = run(command, args, cwd, registry.env)
    if (!result.ok) throw new Error(`${command} ${args.join(' ')} failed:\n${result.output}`)
    return result.stdout
  }
  write('package.json', '{ "name": "consumer", "private": true, "type": "module" }\n')
  must('npm', ['install', '--no-package-lock', ...packages])
  return {
    dir,
    write,
    node: (binary, file) => must(binary, [join(dir, file)], mkdtempSync(join(dir, 'run-'))),
    tsc(file, resolution) {
      const modules = resolution === 'nodenext' ? 'nodenext' : 'esnext'
      const options = [
        '--noEmit',
        '--strict',
        '--target',
        'es2023',
        '--lib',
        'es2023,esnext.disposable',
        '--types',
        'node',
      ]
      const kind = ['--module', modules, '--moduleResolution', resolution, '--pretty', 'false']
      const compiler = join(workspaceRoot, 'node_modules/typescript/bin/tsc')
      const { output } = run(process.execPath, [compiler, ...options, ...kind, file], dir, registry.env)
      // Declarations of third parties are checked too, which finds their faults as well: those are not ours to judge.
      return output
        .split('\n')
        .filter((line) => line.trim() !== '' && !/^\s|node_modules[\\/](?!@asherah[\\/])/.test(line))
    },
  }
}

/** The packages that a snippet imports, without built-in modules and subpaths. */
export function importedPackages(code: string): string[] {
  const names = ts
    .preProcessFile(code, true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => !name.startsWith('node:') && !name.startsWith('.'))
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    )
  return [...new Set(names)]
}

/** A TypeScript snippet as the ES module that a user without TypeScript would write. */
export function asJavaScript(code: string): string {
  return ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext } })
    .outputText
}

/** A snippet as CommonJS: `require` for each import, the rest in an async function, since CommonJS has no top-level await. */
export function asCommonJs(code: string): string {
  const source = ts.createSourceFile('snippet.mjs', asJavaScript(code), ts.ScriptTarget.Latest, true)
  const requires: string[] = []
  const body: string[] = []
  for (const statement of source.statements) {
    if (ts.isExportDeclaration(statement)) continue
    if (!ts.isImportDeclaration(statement)) {
      body.push(statement.getFullText(source))
      continue
    }
    const bindings = statement.importClause?.namedBindings
    if (statement.importClause?.name !== undefined) throw new Error('a README snippet must not need a default import')
    const target = `require(${statement.moduleSpecifier.getText(source)})`
    if (bindings === undefined) requires.push(target)
    else if (ts.isNamespaceImport(bindings)) requires.push(`const ${bindings.name.text} = ${target}`)
    else {
      const names = bindings.elements.map(
        (one) => (one.propertyName ? `${one.propertyName.text}: ` : '') + one.name.text,
      )
      requires.push(`const { ${names.join(', ')} } = ${target}`)
    }
  }
  const failure = 'catch((error) => {\n  console.error(error)\n  process.exitCode = 1\n})'
  return `${requires.join('\n')}\n\nasync function main() {${body.join('')}\n}\nmain().${failure}\n`
}
