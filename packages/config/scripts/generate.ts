import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema, configMarkdown, configTypes } from '../src/describe.ts'

// Writes what is made from the table of keys: docs/config.md between its marks, schema.json, src/asherah-config.ts.
// Usage: node --conditions=asherah-source packages/config/scripts/generate.ts

const root = new URL('..', import.meta.url)
const docs = fileURLToPath(new URL('../../docs/config.md', root))
const begin = '<!-- begin: keys -->\n\n'
const end = '\n<!-- end: keys -->'

const text = readFileSync(docs, 'utf8')
const [before] = text.split(begin)
const after = text.split(end)[1] ?? ''
writeFileSync(docs, `${before}${begin}${configMarkdown()}${end}${after}`)
writeFileSync(new URL('schema.json', root), `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`)
writeFileSync(new URL('src/asherah-config.ts', root), configTypes())
