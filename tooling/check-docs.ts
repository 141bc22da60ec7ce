import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { readmeProblems, relativeLinks } from './lib/readme-shape.ts'
import { runProblem, type SnippetProblem, typeProblems, writeSnippets } from './lib/snippet-program.ts'
import { startSnippetServices } from './lib/snippet-services.ts'
import { type DocProblem, type Snippet, shellCommands, snippetsOf } from './lib/snippets.ts'
import { publicPackages, workspaceRoot } from './lib/workspace.ts'

// Compiles and runs every `ts` block of the READMEs and docs, and checks the shape of the READMEs.
// Usage: pnpm check:docs [file.md …]   (no file: all of them)

const documentGlobs = ['*.md', '{packages,apps}/*/README.md', 'docs/**/*.md']
const firstCommands = ['npx -y pnpm@12 demo', 'npx -y pnpm@12 test']

const chosen = process.argv.slice(2)
const documents = globSync(documentGlobs, { cwd: workspaceRoot })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => chosen.length === 0 || chosen.includes(file))
  .sort()
const missing = chosen.filter((file) => !documents.includes(file))
const problems: SnippetProblem[] = missing.map((file) => ({
  file,
  line: 1,
  message: 'is not a README or a file of docs/',
}))
const snippets: (Snippet & { document: string })[] = []

const publicByReadme = new Map(publicPackages().map((found) => [`${found.path}/README.md`, found]))
const required = chosen.length === 0 ? ['README.md', ...publicByReadme.keys()] : []
for (const file of required.filter((name) => !documents.includes(name)))
  problems.push({ file, line: 1, message: 'is missing' })

for (const document of documents) {
  const markdown = readFileSync(join(workspaceRoot, document), 'utf8')
  const report = (found: readonly DocProblem[]): void => {
    problems.push(...found.map((problem) => ({ file: document, ...problem })))
  }
  const found = snippetsOf(markdown)
  snippets.push(...found.snippets.map((snippet) => ({ ...snippet, document })))
  report(found.problems)
  const owner = publicByReadme.get(document)
  if (owner !== undefined) report(readmeProblems(markdown, owner.name, owner.path.startsWith('apps/') ? 'sh' : 'ts'))
  if (document === 'README.md') {
    const first = shellCommands(markdown).slice(0, firstCommands.length)
    report(
      firstCommands.flatMap((command, index) => {
        if (first[index]?.command === command) return []
        return [{ line: first[index]?.line ?? 1, message: `command ${index + 1} of the README must be \`${command}\`` }]
      }),
    )
  }
  report(
    relativeLinks(markdown)
      .filter(({ target }) => !existsSync(join(workspaceRoot, dirname(document), decodeURI(target))))
      .map(({ line, target }) => ({ line, message: `the link leads nowhere: ${target}` })),
  )
}

mkdirSync(join(workspaceRoot, '.snippets'), { recursive: true })
const folder = mkdtempSync(join(workspaceRoot, '.snippets', 'run-'))
let runCount = 0
try {
  const files = writeSnippets(folder, snippets)
  problems.push(...typeProblems(files))
  const toRun = files.filter(({ compileOnly }) => !compileOnly)
  const services = await startSnippetServices(toRun.map(({ code }) => code))
  try {
    for (const file of toRun) {
      runCount += 1
      const problem = await runProblem(file, services.env)
      if (problem !== undefined) problems.push(problem)
    }
  } finally {
    await services.stop()
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

for (const { file, line, message } of problems) console.error(`${file}:${line}: ${message}`)
console.log(
  `docs: ${documents.length} files, ${snippets.length} snippets compiled, ${runCount} run, ${problems.length} problems`,
)
process.exitCode = problems.length === 0 ? 0 : 1
