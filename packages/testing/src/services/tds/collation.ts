/** How text of one collation is compared. */
export interface Collation {
  readonly name: string
  /** Negative, zero or positive. The shorter text counts as if it ended in spaces, as on SQL Server, also for binary ones. */
  compare(a: string, b: string): number
}

const NAME = /^(SQL_Latin1_General_CP1|Latin1_General(?:_100)?)_(BIN2|C[IS]_A[IS])$/i

/** What a database has if it was not told otherwise, as a real server's setup proposes. */
export const DEFAULT_COLLATION = 'SQL_Latin1_General_CP1_CI_AS'

/**
 * A collation of this server: Latin1_General, binary (BIN2) or by case and accents.
 *
 * The linguistic ones are `Intl.Collator`'s: the order of letters is alike, not the same to the last character.
 *
 * @returns undefined for one that it does not know.
 */
export function findCollation(name: string): Collation | undefined {
  const rules = NAME.exec(name)?.[2]?.toUpperCase()
  if (rules === undefined) return undefined
  if (rules === 'BIN2') return { name, compare: comparePadded }
  const collator = new Intl.Collator('en', { sensitivity: sensitivityOf(rules), caseFirst: 'lower' })
  return { name, compare: (a, b) => collator.compare(trimEnd(a), trimEnd(b)) }
}

function sensitivityOf(rules: string): 'base' | 'accent' | 'case' | 'variant' {
  if (rules === 'CI_AI') return 'base'
  if (rules === 'CI_AS') return 'accent'
  return rules === 'CS_AI' ? 'case' : 'variant'
}

/** By UTF-16 units, as NVARCHAR is under BIN2. */
function comparePadded(a: string, b: string): number {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = unit(a, i) - unit(b, i)
    if (difference !== 0) return difference
  }
  return 0
}

function unit(text: string, at: number): number {
  return at < text.length ? text.charCodeAt(at) : 0x20
}

/** Only U+0020: other white space counts. */
export function trimEnd(text: string): string {
  return text.replace(/ +$/, '')
}
