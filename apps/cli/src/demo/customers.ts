/** A made-up customer file: the same for every run. */
export interface CustomerFileOptions {
  readonly rows: number
  readonly tenants: number
}

/** The columns, in order. */
export const customerColumns = [
  'customer_id',
  'tenant',
  'name',
  'email',
  'ssn',
  'city',
  'plan',
  'signed_up',
  'notes',
] as const

const givenNames =
  'Ann Ben Chloé Dmitri Eda Farid Grace Hiroshi Inès José Kwame Lena Mei Noor Óscar Priya Quinn Rosa Søren Zoë'.split(
    ' ',
  )
const familyNames =
  "Smith García O'Neill Müller Nguyễn Okafor Petrov Yılmaz Østergaard Żak Johnson Ferrari Tanaka Dubois Haddad Kovács".split(
    ' ',
  )
const cities = [
  'Lisbon',
  'São Paulo',
  'Zürich',
  'New York, NY',
  'Kraków',
  '東京',
  'Αθήνα',
  'القاهرة',
  'Oslo',
  'Reykjavík',
]
const plans = ['free', 'team', 'business']
const noteParts = [
  'Called about the invoice.',
  'Prefers e-mail, not phone.',
  'Said "call me next week", did not answer since.',
  'VIP ⭐ – handle with care.',
  'Ships to two addresses:\n- home\n- office, 2nd floor',
  'Größe XL; Farbe: grün.',
  '返品を希望しています。',
  'Discount 10 %, approved by "the boss".',
]

/** The file's text, row by row; the header line comes first. */
export function* customerLines(options: CustomerFileOptions): Generator<string, void, void> {
  const random = seededRandom(20_240_601)
  const pick = <T>(values: readonly T[], fallback: T): T => values[Math.floor(random() * values.length)] ?? fallback
  const digits = (count: number): string =>
    Math.floor(random() * 10 ** count)
      .toString()
      .padStart(count, '0')
  yield `${customerColumns.join(',')}\n`
  for (let row = 1; row <= options.rows; row++) {
    const given = pick(givenNames, 'Ann')
    const family = pick(familyNames, 'Smith')
    const cells = [
      `C${String(row).padStart(6, '0')}`,
      `tenant-${String(1 + Math.floor(random() * options.tenants)).padStart(3, '0')}`,
      `${given} ${family}`,
      `${asciiOf(given)}.${asciiOf(family)}${row}@example.com`,
      `${digits(3)}-${digits(2)}-${digits(4)}`,
      pick(cities, 'Oslo'),
      pick(plans, 'free'),
      `20${String(10 + Math.floor(random() * 15))}-0${1 + Math.floor(random() * 9)}-1${Math.floor(random() * 10)}`,
      // One in five has no note: an empty value is encrypted too.
      random() < 0.2 ? '' : [pick(noteParts, ''), pick(noteParts, '')].join(' '),
    ]
    // Some programs quote without need; the file has to come back as it was.
    const quoteAll = row % 10 === 0
    yield `${cells.map((cell) => csvCell(cell, quoteAll)).join(',')}\n`
  }
}

function csvCell(value: string, always: boolean): string {
  return always || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

function asciiOf(name: string): string {
  const plain = name.normalize('NFD').replace(/[^a-z]/gi, '')
  return plain.toLowerCase()
}

/** Mulberry32: small, fast and the same everywhere. Made-up data only; never for keys. */
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
