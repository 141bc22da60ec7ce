import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { statementTexts } from '../src/statements.ts'

const texts = statementTexts('encryption_key')
const database = new DatabaseSync(':memory:')
database.exec(texts.createTable)

test.each(['loadCanonical', 'loadAny', 'loadLatest', 'store', 'revoke', 'page'] as const)(
  '%s goes by the index of the primary key: it never walks the whole table, nor sorts it',
  (name) => {
    const plan = database
      .prepare(`EXPLAIN QUERY PLAN ${texts[name]}`)
      .all()
      .map((step) => String(step.detail))
    const steps = plan.filter((step) => step.includes('encryption_key'))
    expect(steps).toEqual([
      expect.stringMatching(/^SEARCH encryption_key USING (COVERING )?INDEX sqlite_autoindex_encryption_key_1 \(id/),
    ])
    if (name === 'page') expect(plan).not.toContain('USE TEMP B-TREE FOR ORDER BY')
  },
)
