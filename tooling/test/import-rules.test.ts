import { describe, expect, it } from 'vitest'
import { importProblems, importsOf } from '../lib/import-rules.ts'

const names = new Map([
  ['packages/core', '@asherah/core'],
  ['packages/kms-static', '@asherah/kms-static'],
  ['packages/metastore-memory', '@asherah/metastore-memory'],
  ['packages/testing', '@asherah/testing'],
  ['packages/asherah', 'asherah'],
  ['apps/cli', '@asherah/cli'],
])

/** The problems of one line of code in one file, as `line:column message`. */
function problemsOf(file: string, code: string): string[] {
  const path = file.split('/').slice(0, 2).join('/')
  return importProblems(importsOf(file, code), path, names).map((p) => `${p.line}:${p.column} ${p.message}`)
}

describe('importsOf finds every way to name a module', () => {
  const cases: [string, string][] = [
    [`import { a } from 'x'`, 'x'],
    [`import type { A } from 'x'`, 'x'],
    [`import 'x'`, 'x'],
    [`export { a } from 'x'`, 'x'],
    [`export * from 'x'`, 'x'],
    [`const a = await import('x')`, 'x'],
    [`const a = await import(\`x\`)`, 'x'],
    [`type A = import('x').A`, 'x'],
    [`type A = typeof import('x')`, 'x'],
    [`import a = require('x')`, 'x'],
    [`const a = require('x')`, 'x'],
    [`const a = require.resolve('x')`, 'x'],
    [`const a = import.meta.resolve('x')`, 'x'],
    [`/// <reference types="x" />`, 'x'],
    [`/// <reference path="../x.ts" />`, '../x.ts'],
  ]
  it.each(cases)('%s', (code, specifier) => {
    expect(importsOf('a.ts', code).map((use) => use.specifier)).toEqual([specifier])
  })

  it('does not take text, comments or other calls for imports', () => {
    const code = `// import 'x'\nconst a = "import 'x'"\npath.resolve('x')\nexport const b = 1`
    expect(importsOf('a.ts', code)).toEqual([])
  })

  it('says where', () => {
    expect(importsOf('a.ts', `\n\nimport { a } from 'x'`)).toEqual([
      { file: 'a.ts', line: 3, column: 19, specifier: 'x' },
    ])
  })
})

describe('what may be imported', () => {
  const allowed: [string, string][] = [
    ['packages/core/src/a.ts', `import { b } from './internal/b.ts'`],
    ['packages/core/src/internal/a.ts', `import { b } from '../b.ts'`],
    ['packages/core/src/a.ts', `import { b } from 'node:crypto'`],
    ['packages/core/test/a.test.ts', `import { it } from 'vitest'`],
    ['packages/core/test/a.test.ts', `import { b } from '@asherah/core/backend'`],
    ['packages/kms-static/src/a.ts', `import { b } from '@asherah/core/backend'`],
    ['packages/kms-static/src/a.ts', `import { b } from 'some-driver'`],
    ['packages/kms-static/test/a.test.ts', `import { b } from '@asherah/testing'`],
    ['packages/kms-static/test/a.test.ts', `import { b } from '../src/index.ts'`],
    ['packages/kms-static/tsup.config.ts', `import { b } from '../../tooling/tsup.ts'`],
    ['packages/metastore-postgres/src/a.ts', `import { b } from '@asherah/sql-shared'`],
    ['packages/kms-aws/test/a.test.ts', `import { b } from '@asherah/metastore-memory'`],
    ['packages/testing/src/a.ts', `import { b } from '@asherah/core'`],
    ['packages/testing/src/a.ts', `import { b } from 'vitest'`],
    ['packages/asherah/src/a.ts', `import { b } from '@asherah/kms-static'`],
    ['apps/cli/src/a.ts', `import { b } from '@asherah/kms-static'`],
    ['apps/cli/src/a.ts', `import { b } from '@asherah/core/backend'`],
  ]
  it.each(allowed)('%s: %s', (file, code) => {
    expect(problemsOf(file, code)).toEqual([])
  })
})

describe('what may not', () => {
  const refused: [string, string, string][] = [
    ['packages/core/src/a.ts', `import { b } from 'lodash'`, '1:19 core has no dependencies'],
    ['packages/core/src/a.ts', `import { b } from 'fs'`, '1:19 core has no dependencies'],
    ['packages/core/src/a.ts', `await import(name)`, '1:14 core imports a module whose name is computed'],
    ['packages/core/src/a.ts', `import type { B } from '@asherah/testing'`, '1:24 core imports another package'],
    ['packages/core/test/a.test.ts', `import { b } from '@asherah/kms-static'`, '1:19 core imports another package'],
    [
      'packages/kms-static/src/a.ts',
      `import { b } from '@asherah/core/internal/x'`,
      '1:19 core is imported by its two doors only',
    ],
    [
      'packages/kms-static/src/a.ts',
      `import { b } from '../../core/src/index.ts'`,
      '1:19 a relative import leaves its package',
    ],
    [
      'packages/kms-static/src/a.ts',
      `import { b } from '../../tooling/tsup.ts'`,
      '1:19 a relative import leaves its package',
    ],
    [
      'packages/kms-static/test/a.test.ts',
      `import { b } from '../../core/src/a.ts'`,
      '1:19 a relative import leaves its package',
    ],
    [
      'packages/kms-aws/src/a.ts',
      `import { b } from '@asherah/kms-static'`,
      '1:19 a backend imports a package other than core',
    ],
    [
      'packages/kms-static/test/b.test.ts',
      `import { b } from '@asherah/metastore-memory'`,
      '1:19 a backend imports a package other than core',
    ],
    [
      'packages/kms-aws/src/a.ts',
      `import { b } from '@asherah/sql-shared'`,
      '1:19 a backend imports a package other than core',
    ],
    [
      'packages/kms-static/src/a.ts',
      `import { b } from '@asherah/metastore-memory'`,
      '1:19 a backend imports a package other than core',
    ],
    [
      'packages/kms-static/test/a.test.ts',
      `import { b } from '@asherah/metastore-memory'`,
      '1:19 a backend imports a package other',
    ],
    [
      'packages/kms-static/src/a.ts',
      `import { b } from '@asherah/not-there-yet'`,
      '1:19 a backend imports a package other than core',
    ],
    ['packages/kms-static/src/a.ts', `import { b } from 'asherah'`, '1:19 a backend imports a package other than core'],
    [
      'packages/kms-static/src/a.ts',
      `import { b } from '@asherah/testing'`,
      '1:19 a backend ships an import of `@asherah/testing`',
    ],
    ['packages/kms-static/src/a.ts', `import { b } from '/etc/x.ts'`, '1:19 an absolute path is imported'],
    [
      'packages/testing/test/a.test.ts',
      `import { b } from '@asherah/kms-static'`,
      '1:19 testing imports a package other than core',
    ],
    ['packages/asherah/src/a.ts', `import { b } from '@asherah/cli'`, '1:19 a package imports an app'],
    [
      'apps/cli/src/a.ts',
      `import { b } from '../../../packages/core/src/index.ts'`,
      '1:19 a relative import leaves its package',
    ],
    ['packages/nobody-knows/src/a.ts', `export const a = 1`, '1:1 no import rule covers this package'],
  ]
  it.each(refused)('%s: %s', (file, code, message) => {
    expect(problemsOf(file, code)).toEqual([expect.stringContaining(message)])
  })
})
