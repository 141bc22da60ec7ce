import { InvalidConfigError } from '@asherah/core'
import type { Command } from 'commander'
import { loadSettings } from '../config-file.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { addTransformOptions, transformFlags } from './options.ts'
import { printSummary, runTransform } from './transform.ts'

const help = `
CSV      each chosen cell becomes a data row record (JSON text); all other bytes stay as they are.
JSONL    each chosen member's value, as JSON text, becomes a record (an object).
file     the whole input in chunks, of any size; --partition says whose it is.

Examples:
  $ asherah encrypt customers.csv --field email --field ssn --partition-field tenant \\
      --service crm --product shop --metastore sqlite://keys.db --master-key-file master.key -o customers.enc.csv
  $ tar c photos | asherah encrypt --partition alice -o photos.tar.asherah     (the rest from asherah.config.json)`

/** `asherah encrypt` */
export function encryptCommand(context: CommandContext): Command {
  const command = createCommand('encrypt', 'encrypt fields of CSV or JSON Lines, or a whole file')
  return addTransformOptions(command, 'encrypt')
    .optionsGroup('What:')
    .option('--chunk-size <size>', 'of a whole file, such as 256KiB; default 1MiB')
    .option('--record', 'short for --format record: one bare record, up to 64 MiB, for other Asherah readers')
    .addHelpText('after', help)
    .action(async (input: string | undefined, options: Readonly<Record<string, unknown>>) => {
      const flags = transformFlags(options)
      const settings = await loadSettings(withRecord(options), context.env)
      const summary = await runTransform({ direction: 'encrypt', input, flags, settings, context })
      printSummary(summary, flags, context)
    })
}

function withRecord(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (options.record !== true) return options
  if (options.format !== undefined && options.format !== 'record') {
    throw new InvalidConfigError('--record is --format record: give one of them')
  }
  return { ...options, format: 'record' }
}
