import { describe, expect, it } from 'vitest'
import { asCommonJs, asJavaScript, importedPackages } from '../release/consumer.ts'

const snippet = `import { readFileSync as read, type Stats } from 'node:fs'
import * as path from 'node:path'
import type { Session } from '@asherah/core'
import { createStaticKms } from '@asherah/kms-static'
import { sealAes256Gcm } from '@asherah/core/backend'

const value: string = await Promise.resolve('a')
console.log(read, path, createStaticKms, sealAes256Gcm, value as unknown as Session & Stats)
export {}
`

describe('importedPackages', () => {
  it('names what must be installed, once, without built-in modules and subpaths', () => {
    expect(importedPackages(snippet)).toEqual(['@asherah/core', '@asherah/kms-static'])
  })
})

describe('asJavaScript', () => {
  it('drops types and keeps imports', () => {
    const code = asJavaScript(snippet)
    expect(code).toContain("import { createStaticKms } from '@asherah/kms-static'")
    expect(code).not.toContain('Session')
  })
})

describe('asCommonJs', () => {
  it('requires what the snippet imports, and awaits inside a function', () => {
    const code = asCommonJs(snippet)
    expect(code).toContain("const { readFileSync: read } = require('node:fs')")
    expect(code).toContain("const path = require('node:path')")
    expect(code).toContain("const { sealAes256Gcm } = require('@asherah/core/backend')")
    expect(code).not.toMatch(/^(import|export) /m)
    expect(code.indexOf('async function main')).toBeLessThan(code.indexOf('await Promise'))
  })

  it('refuses a default import rather than guessing what it is', () => {
    expect(() => asCommonJs(`import fs from 'node:fs'\nconsole.log(fs)`)).toThrow('default import')
  })
})
