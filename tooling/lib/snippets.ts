/** One fenced block of a Markdown file. */
export interface FencedBlock {
  /** The first word of the info string; empty when there is none. */
  readonly language: string
  /** The words after it. */
  readonly flags: readonly string[]
  /** The line of the opening fence; 1 is the file's first line. */
  readonly line: number
  /** The text between the fences, without the fence's own indentation. */
  readonly code: string
}

/** A ```ts block that is compiled, and run unless it is `compile-only`. */
export interface Snippet {
  readonly line: number
  readonly code: string
  readonly compileOnly: boolean
}

/** What is wrong at a line of a Markdown file. */
export interface DocProblem {
  readonly line: number
  readonly message: string
}

const openingFence = /^(\s*(?:>\s*)?)(`{3,}|~{3,})\s*([^`]*)$/

/** Every fenced block of a Markdown text, in order. A fence that is never closed ends with the text, as in CommonMark. */
export function fencedBlocks(markdown: string): FencedBlock[] {
  const blocks: FencedBlock[] = []
  const lines = markdown.split(/\r?\n/)
  for (let at = 0; at < lines.length; at += 1) {
    const opening = openingFence.exec(lines[at] ?? '')
    if (opening === null) continue
    const [, indent = '', fence = '', info = ''] = opening
    const [language = '', ...flags] = info.trim().split(/\s+/)
    const code: string[] = []
    const line = at + 1
    for (at += 1; at < lines.length && !closes(lines[at] ?? '', fence); at += 1)
      code.push(dedent(lines[at] ?? '', indent.length))
    blocks.push({ language, flags, line, code: code.join('\n') })
  }
  return blocks
}

function closes(line: string, fence: string): boolean {
  const text = line.trim().replace(/^>\s*/, '')
  return text.length >= fence.length && [...text].every((character) => character === fence[0])
}

function dedent(line: string, width: number): string {
  return line.slice(0, width).trim() === '' || line.startsWith('>') ? line.slice(width) : line
}

const otherSpellings: readonly string[] = ['typescript', 'mts', 'cts', 'tsx', 'javascript', 'js', 'mjs', 'cjs', 'jsx']

/** The snippets of a Markdown text, and the blocks that would escape the check. */
export function snippetsOf(markdown: string): { snippets: Snippet[]; problems: DocProblem[] } {
  const snippets: Snippet[] = []
  const problems: DocProblem[] = []
  for (const { language, flags, line, code } of fencedBlocks(markdown)) {
    if (otherSpellings.includes(language)) {
      problems.push({ line, message: `a \`${language}\` block is not compiled: write it as \`ts\`` })
    }
    if (language !== 'ts') continue
    const unknown = flags.filter((flag) => flag !== 'compile-only')
    if (unknown.length > 0)
      problems.push({ line, message: `unknown word after \`ts\`: ${unknown.join(' ')} (only \`compile-only\`)` })
    snippets.push({ line, code, compileOnly: flags.includes('compile-only') })
  }
  return { snippets, problems }
}

/** The code moved down so that its line numbers, in compiler errors and stack traces, are those of the Markdown file. */
export function withDocumentLines({ line, code }: Snippet): string {
  // A snippet without imports must still be a module: top-level await, and no shared global scope.
  return `${'\n'.repeat(line)}${code}\nexport {}\n`
}

/** The commands of a Markdown text's shell blocks, in order, without prompts, comments and empty lines. */
export function shellCommands(markdown: string): { line: number; command: string }[] {
  return fencedBlocks(markdown)
    .filter(({ language }) => ['sh', 'bash', 'shell', 'console'].includes(language))
    .flatMap(({ line, code }) => code.split('\n').map((text, index) => ({ line: line + 1 + index, command: text })))
    .map(({ line, command }) => ({
      line,
      command: command
        .replace(/^\s*\$\s+/, '')
        .replace(/\s+#\s.*$/, '')
        .trim(),
    }))
    .filter(({ command }) => command !== '' && !command.startsWith('#'))
}
