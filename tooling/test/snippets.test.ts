import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runProblem, typeProblems, writeSnippets } from '../lib/snippet-program.ts'
import { fencedBlocks, shellCommands, snippetsOf } from '../lib/snippets.ts'
import { workspaceRoot } from '../lib/workspace.ts'

describe('fencedBlocks', () => {
  it('gives language, flags, line and code', () => {
    expect(fencedBlocks('# a\n\n```ts compile-only\nconst a = 1\n```\n')).toEqual([
      { language: 'ts', flags: ['compile-only'], line: 3, code: 'const a = 1' },
    ])
  })

  it('takes a longer fence for text that holds a shorter one', () => {
    expect(fencedBlocks('````md\n```ts\nno\n```\n````\n')).toEqual([
      { language: 'md', flags: [], line: 1, code: '```ts\nno\n```' },
    ])
  })

  it('takes tildes, indented fences of lists, and CRLF', () => {
    const markdown = '- a\r\n  ```ts\r\n  if (a) {\r\n    b()\r\n  }\r\n  ```\r\n~~~sh\r\nls\r\n~~~\r\n'
    expect(fencedBlocks(markdown)).toEqual([
      { language: 'ts', flags: [], line: 2, code: 'if (a) {\n  b()\n}' },
      { language: 'sh', flags: [], line: 7, code: 'ls' },
    ])
  })

  it('ends an open fence with the text', () => {
    expect(fencedBlocks('```ts\na')).toEqual([{ language: 'ts', flags: [], line: 1, code: 'a' }])
  })
})

describe('snippetsOf', () => {
  it('keeps ts blocks only', () => {
    const { snippets, problems } = snippetsOf('```ts\na\n```\n```json\n{}\n```\n```ts compile-only\nb\n```')
    expect(snippets).toEqual([
      { line: 1, code: 'a', compileOnly: false },
      { line: 7, code: 'b', compileOnly: true },
    ])
    expect(problems).toEqual([])
  })

  it.each(['js', 'typescript', 'javascript', 'mjs', 'tsx'])(
    'refuses a %s block, which would escape the check',
    (language) => {
      expect(snippetsOf(`\`\`\`${language}\na\n\`\`\``).problems).toEqual([
        { line: 1, message: expect.stringContaining(language) },
      ])
    },
  )

  it('refuses an unknown flag, such as a misspelt compile-only', () => {
    const { snippets, problems } = snippetsOf('```ts compileonly\na\n```')
    expect(problems).toEqual([{ line: 1, message: expect.stringContaining('compileonly') }])
    expect(snippets).toEqual([{ line: 1, code: 'a', compileOnly: false }])
  })
})

describe('shellCommands', () => {
  it('gives commands without prompts and comments, with their lines', () => {
    expect(
      shellCommands('# a\n```sh\n# set up\n$ npm ci\n\nnpm test # all\n```\n```ts\nno()\n```\n```bash\nls\n```'),
    ).toEqual([
      { line: 4, command: 'npm ci' },
      { line: 6, command: 'npm test' },
      { line: 12, command: 'ls' },
    ])
  })
})

describe('compiling and running', () => {
  let folder = ''
  beforeAll(() => {
    mkdirSync(join(workspaceRoot, '.snippets'), { recursive: true })
    folder = mkdtempSync(join(workspaceRoot, '.snippets', 'test-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('reports a type error at its line of the document, and accepts top-level await', () => {
    const files = writeSnippets(folder, [
      {
        document: 'docs/good.md',
        line: 5,
        code: 'const a: number = await Promise.resolve(1)\nconsole.log(a)',
        compileOnly: false,
      },
      {
        document: 'docs/bad.md',
        line: 7,
        code: 'const a = 1\nconst b: string = a\nconsole.log(b)',
        compileOnly: false,
      },
    ])
    expect(typeProblems(files)).toEqual([
      { file: 'docs/bad.md', line: 9, message: "Type 'number' is not assignable to type 'string'." },
    ])
  })

  it('reports a failing run with its output, named by the document and its lines', async () => {
    const [good, bad] = writeSnippets(folder, [
      { document: 'docs/good.md', line: 5, code: 'export const a = 1', compileOnly: false },
      { document: 'docs/bad.md', line: 7, code: 'const a = 1\nthrow new Error(String(a + 41))', compileOnly: false },
    ])
    if (good === undefined || bad === undefined) throw new Error('two files were written')
    expect(await runProblem(good)).toBeUndefined()
    const problem = await runProblem(bad)
    expect(problem).toMatchObject({ file: 'docs/bad.md', line: 7 })
    expect(problem?.message).toContain('exited 1')
    expect(problem?.message).toContain('Error: 42')
    expect(problem?.message).toContain('docs/bad.md:9')
  })

  it('runs in an empty folder, not in the workspace', async () => {
    const code = `import { readdirSync } from 'node:fs'\nif (readdirSync('.').length > 0) throw new Error('not empty')`
    const [file] = writeSnippets(folder, [{ document: 'docs/cwd.md', line: 1, code, compileOnly: false }])
    if (file === undefined) throw new Error('one file was written')
    expect(await runProblem(file)).toBeUndefined()
  })

  it('finds what it is given in its environment, and is answered by servers of this process', async () => {
    const server = createServer((_, response) => response.end('here'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const code = `if (await (await fetch(process.env.THING_URL ?? '')).text() !== 'here') throw new Error('not here')`
    const [file] = writeSnippets(folder, [{ document: 'docs/env.md', line: 1, code, compileOnly: false }])
    if (file === undefined) throw new Error('one file was written')
    try {
      expect(await runProblem(file, { THING_URL: `http://127.0.0.1:${address.port}/` })).toBeUndefined()
    } finally {
      server.close()
    }
  })
})
