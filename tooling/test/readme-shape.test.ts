import { describe, expect, it } from 'vitest'
import { readmeProblems, relativeLinks } from '../lib/readme-shape.ts'

const good = `# @asherah/x

Keeps keys in X, e.g. on a server.

\`\`\`sh
npm install @asherah/core @asherah/x
\`\`\`

\`\`\`ts
import { createX } from '@asherah/x'
\`\`\`

See the [threat model](../../docs/threat-model.md).
`

/** The messages for `good` after one replacement. */
function messages(from: string | RegExp, to: string): string[] {
  const changed = good.replace(from, to)
  expect(changed).not.toBe(good)
  return readmeProblems(changed, '@asherah/x', 'ts').map(({ line, message }) => `${line}: ${message}`)
}

describe('readmeProblems', () => {
  it('accepts a README of the right shape', () => {
    expect(readmeProblems(good, '@asherah/x', 'ts')).toEqual([])
  })

  it('accepts a command: the first sh block that does not install is its snippet', () => {
    const command = good.replace("```ts\nimport { createX } from '@asherah/x'", '```sh\nasherah demo')
    expect(readmeProblems(command, '@asherah/x', 'sh')).toEqual([])
    expect(readmeProblems(good, '@asherah/x', 'sh').map(({ message }) => message)).toEqual([
      'no `sh` snippet starts in the first 40 lines',
    ])
  })

  const refused: [string, string | RegExp, string, string][] = [
    ['another title', '# @asherah/x', '# X', '1: the first line must be `# @asherah/x`'],
    ['two sentences', 'server.', 'server. It is fast.', '3: one sentence must follow the title'],
    ['no sentence', /Keeps.*\n\n/, '', '3: one sentence must follow the title'],
    ['a badge first', 'Keeps keys', '![badge](b.svg) keeps keys', '3: one sentence must follow the title'],
    ['no install line', ' @asherah/core @asherah/x', ' @asherah/core', '1: no `npm install @asherah/x`'],
    ['no snippet', '```ts', '```json', '1: no `ts` snippet starts in the first 40 lines'],
    ['a late snippet', '```ts', `${'\n'.repeat(40)}\`\`\`ts`, '49: no `ts` snippet starts in the first 40 lines'],
    ['a long snippet', 'import {', `${'a()\n'.repeat(20)}import {`, '9: the first snippet must be under 20 lines'],
    ['no threat model', 'threat-model.md', 'other.md', '1: no link to docs/threat-model.md'],
  ]
  it.each(refused)('refuses %s', (_what, from, to, message) => {
    expect(messages(from, to)).toEqual([expect.stringContaining(message)])
  })
})

describe('relativeLinks', () => {
  it('gives targets without fragments, and leaves out URLs, anchors and code', () => {
    const markdown = '[a](b.md#c) [d](https://e.test/f.md) [g](#h)\n`[i](j.md)`\n```md\n[k](l.md)\n```\n![m](n.png "o")'
    expect(relativeLinks(markdown)).toEqual([
      { line: 1, target: 'b.md' },
      { line: 6, target: 'n.png' },
    ])
  })
})
