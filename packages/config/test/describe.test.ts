import { readFileSync } from 'node:fs'
import { configKeys } from '@asherah/config'
import { expect, it } from 'vitest'
import { configJsonSchema, configMarkdown, configTypes } from '../src/describe.ts'

const root = new URL('../', import.meta.url)
const remake = 'run: node --conditions=asherah-source packages/config/scripts/generate.ts, then biome'

it('D-126 docs/config.md holds the table of keys as it is', () => {
  const docs = readFileSync(new URL('../../docs/config.md', root), 'utf8')
  expect(docs, remake).toContain(configMarkdown())
})

it('schema.json is made from the table', () => {
  expect(JSON.parse(readFileSync(new URL('schema.json', root), 'utf8')), remake).toEqual(configJsonSchema())
})

it('the types name every key', () => {
  const source = readFileSync(new URL('src/asherah-config.ts', root), 'utf8')
  const members = (text: string): string[] => [...text.matchAll(/readonly (\w+)\?/g)].map((match) => match[1] ?? '')
  expect(members(source), remake).toEqual(members(configTypes()))
  expect(members(source)).toEqual(configKeys.flatMap((key) => [key.name, key.camel, ...key.aliases]))
})
