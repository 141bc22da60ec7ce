import { InvalidConfigError } from '@asherah/core'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { createStreamOutput } from '../io/output.ts'
import { effectiveState, formatAge, type KeyInfo } from '../keys/key-state.ts'
import { formatCount, plural } from '../summary.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { addKeysOptions, type KeysFlags, withKeys } from './keys-options.ts'

/** A table must be whole before its columns have a width; this many rows at most are kept for it. */
const defaultTableRows = 1_000

const help = `
STATE  valid: encrypts and decrypts; expired, revoked: only decrypts, and the next encryption makes a new key;
       "(parent)": the key is valid, but the one that wraps it is not, so it encrypts no more either.
USES   how many intermediate keys a system key wraps; - for an intermediate key, whose uses no metastore counts.
--json prints every key, one JSON object a line.`

/** `asherah keys list` */
export function keysListCommand(context: CommandContext): Command {
  return addKeysOptions(createCommand('list', 'list keys: id, created, age, state, parent, uses'))
    .option('--limit <count>', `keys to show; default ${formatCount(defaultTableRows)} in a table, all in JSON`)
    .addHelpText('after', help)
    .action(async (flags: KeysFlags & { readonly limit?: string }) => {
      const limit = parseLimit(flags.limit) ?? (flags.json === true ? Number.POSITIVE_INFINITY : defaultTableRows)
      await withKeys(flags, context, undefined, (keys) =>
        flags.json === true ? printLines(keys, limit, context) : printTable(keys, limit, context),
      )
    })
}

async function printLines(keys: AsyncIterable<KeyInfo>, limit: number, context: CommandContext): Promise<void> {
  const output = createStreamOutput(context.stdout, 'standard output', { end: false })
  let shown = 0
  for await (const key of keys) {
    if (shown++ >= limit) return
    await output.write(Buffer.from(`${JSON.stringify(key)}\n`))
  }
}

async function printTable(keys: AsyncIterable<KeyInfo>, limit: number, context: CommandContext): Promise<void> {
  const table = new Table({
    head: ['ID', 'CREATED', 'AGE', 'STATE', 'PARENT', 'USES'],
    // Plain text: no borders to cut off, no colours to strip.
    chars: { ...noBorders, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  let total = 0
  for await (const key of keys) {
    if (total++ >= limit) continue
    const parent = key.parent === null ? '-' : `${key.parent.id} ${key.parent.created}`
    table.push([
      printable(key.id),
      key.created,
      formatAge(key.ageSeconds),
      effectiveState(key),
      printable(parent),
      key.uses ?? '-',
    ])
  }
  const more = total > limit ? `, the first ${formatCount(limit)} are shown: --limit or --json shows more` : ''
  const output = createStreamOutput(context.stdout, 'standard output', { end: false })
  if (total > 0) await output.write(Buffer.from(`${table.toString().replace(/ +$/gm, '')}\n`))
  context.stderr.write(`${plural(total, 'key')}${more}\n`)
}

const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
}

/** A partition id is anybody's text: it must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\u{${code.toString(16)}}`
  })
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidConfigError('--limit must be a whole number from 1')
  return Number(text)
}
