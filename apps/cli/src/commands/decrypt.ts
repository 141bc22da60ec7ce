import type { Command } from 'commander'
import { loadSettings } from '../config-file.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { addTransformOptions, transformFlags } from './options.ts'
import { printSummary, runTransform } from './transform.ts'

const help = `
Give the same fields, partition and keys as for encrypting. A whole file and a bare record are told apart by
what is in them. A file written with -o is readable by its owner only, and appears only when all of it is
proved; what goes to standard output is proved piece by piece: use it only if the exit code is 0.

Example:
  $ asherah decrypt customers.enc.csv --field email --field ssn --partition-field tenant \\
      --service crm --product shop --metastore sqlite://keys.db --master-key-file master.key -o customers.csv`

/** `asherah decrypt` */
export function decryptCommand(context: CommandContext): Command {
  const command = createCommand('decrypt', 'decrypt what encrypt wrote, byte for byte')
  return addTransformOptions(command, 'decrypt')
    .addHelpText('after', help)
    .action(async (input: string | undefined, options: Readonly<Record<string, unknown>>) => {
      const flags = transformFlags(options)
      const settings = await loadSettings(options, context.env)
      const summary = await runTransform({ direction: 'decrypt', input, flags, settings, context })
      printSummary(summary, flags, context)
    })
}
