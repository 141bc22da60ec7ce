import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, InvalidConfigError } from '@asherah/core'
import { createStaticKms, generateMasterKeyFile, readMasterKeyFile } from '@asherah/kms-static'
import type { Command } from 'commander'
import { customerColumns, customerLines } from '../demo/customers.ts'
import { clockIn, countKeys, DemoFailure, ensure, readRows, readText, refusal, relabel } from '../demo/steps.ts'
import type { Direction } from '../formats/format.ts'
import { metastorePlace } from '../keys/metastore-url.ts'
import { createSessionCipher } from '../session-cipher.ts'
import { createSettings } from '../settings.ts'
import { formatBytes, formatCount, plural, type Summary } from '../summary.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'
import { runTransform } from './transform.ts'

const defaultRows = 20_000
const tenants = 200
const fields = ['email', 'ssn', 'notes']
const ids = { service: 'crm', product: 'shop' }
const daysLater = 91

/** `asherah demo` */
export function demoCommand(context: CommandContext): Command {
  return createCommand('demo', 'make a customer file, encrypt, rotate, decrypt and compare it, in a temporary folder')
    .option('--rows <count>', `customers; default ${formatCount(defaultRows)}`)
    .option('--keep', 'keep the folder, to look at the files')
    .option('--debug', 'show stacks and causes of errors')
    .action(async (options: { readonly rows?: string; readonly keep?: boolean }) => {
      const rows = parseRows(options.rows)
      const folder = await mkdtemp(join(tmpdir(), 'asherah-demo-'))
      try {
        await runDemo({ folder, rows, context, print: (text) => void context.stdout.write(`${text}\n`) })
        if (options.keep === true) context.stdout.write(`The files are in ${folder}\n`)
      } finally {
        if (options.keep !== true) await rm(folder, { recursive: true, force: true })
      }
    })
}

interface Demo {
  readonly folder: string
  readonly rows: number
  readonly context: CommandContext
  print(text: string): void
}

/** @throws DemoFailure when any check does not hold. */
async function runDemo(demo: Demo): Promise<void> {
  const { print } = demo
  const started = performance.now()
  const path = (name: string): string => join(demo.folder, name)
  const metastore = `sqlite://${path('keys.db')}`

  const plain = await makeFiles(demo)
  const summary = await run(demo, 'encrypt', 'customers.csv', 'customers.enc.csv')
  await showEncrypted(demo, summary)
  await showIsolation(demo, metastore)

  print(`\n4. Rotation: the clock moves on ${daysLater} days, and keys live 90 days`)
  print(`   keys before  ${await countKeys(metastore, Date.now())}`)
  const later = clockIn(daysLater)
  await run(demo, 'encrypt', 'customers.csv', 'customers.enc2.csv', later)
  print(`   keys after   ${await countKeys(metastore, later.now())}`)

  print(`\n5. Decrypted, ${daysLater} days later`)
  for (const [encrypted, what] of [
    ['customers.enc.csv', 'under the old keys'],
    ['customers.enc2.csv', 'under the new keys'],
  ] as const) {
    const decrypted = encrypted.replace('.csv', '.decrypted.csv')
    const { rowsPerSecond } = await run(demo, 'decrypt', encrypted, decrypted, later)
    const bytes = await readFile(path(decrypted))
    ensure(bytes.equals(plain), `${decrypted} differs from customers.csv`)
    print(`   ${encrypted.padEnd(18)}  ${what}: the same bytes as customers.csv (${formatCount(rowsPerSecond)} rows/s)`)
  }
  print(`   SHA-256 of all three: ${createHash('sha256').update(plain).digest('hex')}`)
  print(`\nAll checks passed, in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
}

async function makeFiles({ folder, rows, print }: Demo): Promise<Buffer> {
  const plain = Buffer.from([...customerLines({ rows, tenants })].join(''))
  await writeFile(join(folder, 'customers.csv'), plain)
  await generateMasterKeyFile(join(folder, 'master.key'))
  print(
    `1. Made customers.csv: ${plural(rows, 'made-up customer')} of ${tenants} tenants, ${formatBytes(plain.length)}`,
  )
  print('   and master.key, which wraps the keys in keys.db (a SQLite file)')
  return plain
}

async function showEncrypted(demo: Demo, summary: Summary): Promise<void> {
  const { folder, print } = demo
  const { system, intermediate } = summary.keysCreated
  print(`\n2. Encrypted ${fields.join(', ')} of each customer under the keys of its tenant`)
  print(
    `   ${formatCount(summary.values)} values in ${(summary.elapsedMs / 1000).toFixed(1)} s ` +
      `(${formatCount(summary.rowsPerSecond)} rows/s), ${plural(system + intermediate, 'key')} created: ` +
      `${system} system, ${intermediate} intermediate`,
  )
  const encrypted = join(folder, 'customers.enc.csv')
  const [[before = []], [after = []]] = await Promise.all([
    readRows(join(folder, 'customers.csv'), 1),
    readRows(encrypted, 1),
  ])
  print('   one customer before:')
  for (const [index, name] of customerColumns.entries())
    print(`     ${name.padEnd(12)} ${shorten(before[index] ?? '')}`)
  print('   and after, where it changed:')
  for (const [index, name] of customerColumns.entries()) {
    if (before[index] === after[index]) ensure(!fields.includes(name), `${name} was not encrypted`)
    else print(`     ${name.padEnd(12)} ${shorten(after[index] ?? '')}`)
  }
  const text = await readFile(encrypted, 'latin1')
  ensure(!/@example\.com|\d{3}-\d{2}-\d{4}/.test(text), 'an e-mail address or SSN is readable in customers.enc.csv')
}

async function showIsolation({ folder, print }: Demo, metastoreUrl: string): Promise<void> {
  const rows = await readRows(join(folder, 'customers.enc.csv'), 50)
  const column = { tenant: customerColumns.indexOf('tenant'), email: customerColumns.indexOf('email') }
  const owner = rows[0]?.[column.tenant] ?? ''
  const record = rows[0]?.[column.email] ?? ''
  const otherRow = rows.find((row) => row[column.tenant] !== owner)
  if (otherRow === undefined) throw new DemoFailure('there is one tenant only: take more --rows')
  const other = otherRow[column.tenant] ?? ''

  const masterKey = await readMasterKeyFile(join(folder, 'master.key'))
  const kms = createStaticKms({ masterKey })
  masterKey.fill(0)
  const metastore = await metastorePlace(metastoreUrl).open()
  const cipher = createSessionCipher({ ...ids, metastore, kms })
  try {
    print(`\n3. Another tenant cannot read it: ${owner}'s e-mail, opened`)
    print(`   by ${owner}: ${await readText(cipher, owner, record)}`)
    print(`   by ${other}: ${await refusal('ERR_ASHERAH_WRONG_PARTITION', () => cipher.decrypt(other, record))}`)
    const forged = relabel(record, otherRow[column.email] ?? '')
    print(`   by ${other}, with the record changed to name ${other}'s key:`)
    print(`     ${await refusal('ERR_ASHERAH_DECRYPTION_FAILED', () => cipher.decrypt(other, forged))}`)
  } finally {
    await cipher.close()
    await metastore.close()
    kms.close()
  }
}

/** The same code as the commands; no config file and no variable is looked at. */
async function run(demo: Demo, direction: Direction, from: string, to: string, clock?: Clock): Promise<Summary> {
  const path = (name: string): string => join(demo.folder, name)
  return runTransform({
    direction,
    input: path(from),
    flags: { output: path(to) },
    settings: createSettings({
      flags: {
        ...ids,
        field: fields,
        partitionField: 'tenant',
        metastore: `sqlite://${path('keys.db')}`,
        masterKeyFile: path('master.key'),
      },
      env: {},
      file: undefined,
    }),
    context: { ...demo.context, env: {} },
    ...(clock === undefined ? {} : { clock }),
  })
}

function shorten(text: string): string {
  const line = printable(text)
  const characters = [...line]
  return characters.length <= 90 ? line : `${characters.slice(0, 60).join('')} … ${characters.slice(-28).join('')}`
}

function parseRows(text: string | undefined): number {
  if (text === undefined) return defaultRows
  const rows = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(rows >= 100 && rows <= 1_000_000))
    throw new InvalidConfigError('--rows must be a whole number from 100 to 1000000')
  return rows
}
