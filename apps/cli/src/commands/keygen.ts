import { generateMasterKeyFile } from '@asherah/kms-static'
import type { Command } from 'commander'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'

/** `asherah keygen` */
export function keygenCommand(context: CommandContext): Command {
  return createCommand('keygen', 'make a master key file: 32 random bytes as hex, for its owner only')
    .argument('<file>', 'file to make; an existing one is never replaced')
    .option('--quiet', 'print nothing')
    .option('--debug', 'show stacks and causes of errors')
    .action(async (file: string, options: { readonly quiet?: boolean }) => {
      await generateMasterKeyFile(file)
      if (options.quiet === true) return
      context.stderr.write(
        `wrote a new master key to '${file}'\n  Keep a copy in a safe place: without it, nothing that it protects can ever be read.\n`,
      )
    })
}
