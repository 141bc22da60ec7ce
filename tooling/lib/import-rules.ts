import { posix } from 'node:path'
import ts from 'typescript'

/** One place where a file names another module. */
export interface ImportUse {
  /** From the workspace's root, with `/`. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** The module's name; undefined when it is computed at run time. */
  readonly specifier: string | undefined
}

/** A use that breaks a rule. */
export interface ImportProblem extends ImportUse {
  readonly message: string
}

type Role = 'core' | 'testing' | 'backend' | 'aggregate' | 'app'

const rolePatterns: readonly (readonly [RegExp, Role])[] = [
  [/^packages\/core$/, 'core'],
  [/^packages\/testing$/, 'testing'],
  [/^packages\/((kms|metastore|cache)-[^/]+|secure-memory|native-ffi|sql-shared)$/, 'backend'],
  [/^packages\/(asherah|compat|config)$/, 'aggregate'],
  [/^apps\/[^/]+$/, 'app'],
]

/** What the SQL metastores share: the one backend that others may import. */
const sharedBackend = 'packages/sql-shared'
/** What the tests of a backend may make whole factories of. Their own tests import neither: the builds would wait for each other. */
const standIns: readonly string[] = ['packages/kms-static', 'packages/metastore-memory']

const coreDoors: readonly string[] = ['@asherah/core', '@asherah/core/backend']

/** Every module that a file names: imports, re-exports, `import()`, `import type`, `require` and triple-slash references. */
export function importsOf(file: string, text: string): ImportUse[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const uses: ImportUse[] = []
  const add = (position: number, specifier: string | undefined): void => {
    const { line, character } = source.getLineAndCharacterOfPosition(position)
    uses.push({ file, line: line + 1, column: character + 1, specifier })
  }
  const addNode = (node: ts.Node): void =>
    add(node.getStart(source), ts.isStringLiteralLike(node) ? node.text : undefined)
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
      addNode(node.moduleSpecifier)
    else if (ts.isExternalModuleReference(node)) addNode(node.expression)
    else if (ts.isImportTypeNode(node))
      addNode(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument)
    else if (ts.isCallExpression(node) && loadsModule(node.expression)) addNode(node.arguments[0] ?? node)
    ts.forEachChild(node, visit)
  }
  for (const reference of source.referencedFiles) {
    add(reference.pos, reference.fileName.startsWith('.') ? reference.fileName : `./${reference.fileName}`)
  }
  for (const reference of source.typeReferenceDirectives) add(reference.pos, reference.fileName)
  visit(source)
  return uses
}

/** `import(…)`, `require(…)`, `require.resolve(…)` or `import.meta.resolve(…)`. */
function loadsModule(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true
  if (ts.isIdentifier(callee)) return callee.text === 'require'
  if (!ts.isPropertyAccessExpression(callee) || callee.name.text !== 'resolve') return false
  return (
    ts.isMetaProperty(callee.expression) || (ts.isIdentifier(callee.expression) && callee.expression.text === 'require')
  )
}

/**
 * The uses that break the direction of imports (`CONTRIBUTING.md`, “Which package may import which”).
 *
 * @param uses What {@link importsOf} found in one package.
 * @param path The package's folder from the workspace's root.
 * @param ownNames The npm name of every workspace package, by its folder.
 */
export function importProblems(
  uses: readonly ImportUse[],
  path: string,
  ownNames: ReadonlyMap<string, string>,
): ImportProblem[] {
  const role = rolePatterns.find(([pattern]) => pattern.test(path))?.[1]
  if (role === undefined) {
    const message = 'no import rule covers this package: name its role in tooling/lib/import-rules.ts'
    return [{ file: `${path}/package.json`, line: 1, column: 1, specifier: undefined, message }]
  }
  return uses.flatMap((use) => {
    const message = problemOf(use, path, role, ownNames)
    return message === undefined ? [] : [{ ...use, message }]
  })
}

function problemOf(
  use: ImportUse,
  path: string,
  role: Role,
  ownNames: ReadonlyMap<string, string>,
): string | undefined {
  const { file, specifier } = use
  const shipped = file.startsWith(`${path}/src/`)
  if (specifier === undefined) {
    return role === 'core' && shipped ? 'core imports a module whose name is computed: it cannot be checked' : undefined
  }
  if (specifier.startsWith('/') || specifier.startsWith('file:'))
    return 'an absolute path is imported: use the package name'
  if (specifier.startsWith('.')) return relativeProblem(file, specifier, path)
  if (specifier.startsWith('node:') || specifier.startsWith('#')) return undefined
  const target = ownTarget(specifier, ownNames)
  if (target === undefined) {
    return role === 'core' && shipped ? 'core has no dependencies: only `node:` modules and its own files' : undefined
  }
  if (target === path) return undefined
  if (target.startsWith('apps/') && role !== 'app') return 'a package imports an app'
  if (target === 'packages/core') {
    return coreDoors.includes(specifier)
      ? undefined
      : 'core is imported by its two doors only: `@asherah/core` and `@asherah/core/backend`'
  }
  if (role === 'core') return 'core imports another package of the workspace'
  if (role === 'testing') return 'testing imports a package other than core'
  if (role === 'backend') {
    if (target === sharedBackend && path.startsWith('packages/metastore-')) return undefined
    if (!shipped && standIns.includes(target) && !standIns.includes(path)) return undefined
    if (target !== 'packages/testing') return 'a backend imports a package other than core'
    if (shipped) return 'a backend ships an import of `@asherah/testing`: only its tests use it'
  }
  return undefined
}

function relativeProblem(file: string, specifier: string, path: string): string | undefined {
  const target = posix.join(posix.dirname(file), specifier)
  if (target.startsWith(`${path}/`)) return undefined
  const buildConfig = posix.dirname(file) === path && file.endsWith('.config.ts')
  if (buildConfig && target.startsWith('tooling/')) return undefined
  return 'a relative import leaves its package: use the package name'
}

/** The workspace folder that a bare specifier leads to, if it is one of ours. */
function ownTarget(specifier: string, ownNames: ReadonlyMap<string, string>): string | undefined {
  for (const [path, name] of ownNames) {
    if (specifier === name || specifier.startsWith(`${name}/`)) return path
  }
  // A scoped name that no folder has (yet) is still ours, so that a misspelt or future package is not taken for a third party's.
  return specifier.startsWith('@asherah/') ? `packages/${specifier.split('/')[1]}` : undefined
}
