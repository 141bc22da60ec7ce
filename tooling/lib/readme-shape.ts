import { type DocProblem, fencedBlocks, shellCommands } from './snippets.ts'

const firstScreenLines = 40
const longestSnippet = 20

/**
 * What every package README must open with: `# name`, one sentence, the install line, a short snippet, the threat model.
 *
 * @param language The language of the first snippet: `ts`, or `sh` for a command.
 */
export function readmeProblems(markdown: string, name: string, language: 'ts' | 'sh'): DocProblem[] {
  const lines = markdown.split(/\r?\n/)
  const problems: DocProblem[] = []
  if (lines[0] !== `# ${name}`) problems.push({ line: 1, message: `the first line must be \`# ${name}\`` })

  const first = lines.findIndex((line, index) => index > 0 && line.trim() !== '')
  const end = lines.findIndex((line, index) => index > first && line.trim() === '')
  const opening = first === -1 ? '' : lines.slice(first, end === -1 ? undefined : end).join(' ')
  if (!isOneSentence(opening))
    problems.push({ line: Math.max(first, 0) + 1, message: 'one sentence must follow the title' })

  const commands = shellCommands(markdown)
  const install = commands.find(({ command }) => installs(command, name))
  if (install === undefined || install.line > firstScreenLines) {
    problems.push({
      line: install?.line ?? 1,
      message: `no \`npm install ${name}\` in an \`sh\` block of the first ${firstScreenLines} lines`,
    })
  }

  const snippet = fencedBlocks(markdown).find(
    (block) => block.language === language && !block.code.split('\n').every((line) => installs(line, name)),
  )
  if (snippet === undefined || snippet.line > firstScreenLines) {
    const message = `no \`${language}\` snippet starts in the first ${firstScreenLines} lines`
    problems.push({ line: snippet?.line ?? 1, message })
  } else if (snippet.code.split('\n').length >= longestSnippet) {
    problems.push({ line: snippet.line, message: `the first snippet must be under ${longestSnippet} lines` })
  }

  if (!/\]\([^)]*docs\/threat-model\.md(#[^)]*)?\)/.test(markdown)) {
    problems.push({ line: 1, message: 'no link to docs/threat-model.md' })
  }
  return problems
}

function installs(command: string, name: string): boolean {
  const words = command.trim().split(/\s+/)
  return (
    ['npm', 'pnpm', 'npx'].includes(words[0] ?? '') &&
    words.some((word) => word === name || word.startsWith(`${name}@`))
  )
}

function isOneSentence(paragraph: string): boolean {
  if (!/^[\w`*"'“([]/.test(paragraph) || !/[.!?]\W*$/.test(paragraph)) return false
  return !/(?<!\b(?:e\.g|i\.e|etc|vs))[.!?]\s+(?=[A-Z`*“"([])/.test(paragraph)
}

/** The relative links of a Markdown text, outside code, as `{ line, target }`; targets have no `#fragment`. */
export function relativeLinks(markdown: string): { line: number; target: string }[] {
  const inCode = new Set<number>()
  for (const { line, code } of fencedBlocks(markdown)) {
    for (let at = line; at <= line + code.split('\n').length; at += 1) inCode.add(at)
  }
  return markdown.split(/\r?\n/).flatMap((text, index) => {
    if (inCode.has(index + 1)) return []
    return [...text.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)[^)]*\)/g)]
      .map((match) => (match[1] ?? '').replace(/#.*$/, ''))
      .filter((target) => target !== '' && !/^([a-z][a-z+.-]*:|\/)/i.test(target))
      .map((target) => ({ line: index + 1, target }))
  })
}
