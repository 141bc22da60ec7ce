import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { type ImportProblem, importProblems, importsOf } from './lib/import-rules.ts'
import { workspacePackages, workspaceRoot } from './lib/workspace.ts'

// Fails, naming file and line, when a package imports against the direction `core ← backends ← asherah ← apps`.

const packages = workspacePackages()
const ownNames = new Map(packages.map(({ path, name }) => [path, name]))
const problems: ImportProblem[] = []
let fileCount = 0

for (const { path, name } of packages) {
  if (name !== `@asherah/${path.split('/')[1]}` && path !== `packages/${name}`) {
    const message = `the folder's name must be the npm name's suffix, not ${name}`
    problems.push({ file: `${path}/package.json`, line: 1, column: 1, specifier: undefined, message })
  }
  const files = globSync(`${path}/**/*.{ts,mts,cts,js,mjs,cjs}`, {
    cwd: workspaceRoot,
    exclude: (entry) => /(^|[\\/])(node_modules|dist|target)$/.test(entry),
  })
  const uses = files.flatMap((file) =>
    importsOf(file.split(sep).join('/'), readFileSync(join(workspaceRoot, file), 'utf8')),
  )
  fileCount += files.length
  problems.push(...importProblems(uses, path, ownNames))
}

for (const { file, line, column, specifier, message } of problems) {
  const shown = specifier === undefined ? '' : ` ('${specifier}')`
  console.error(`${file}:${line}:${column}: ${message}${shown}`)
}
console.log(`imports: ${fileCount} files of ${packages.length} packages, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
