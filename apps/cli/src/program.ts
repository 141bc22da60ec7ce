import type { Command } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import type { CommandContext } from './commands/context.ts'
import { createCommand } from './commands/create-command.ts'
import { decryptCommand } from './commands/decrypt.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { encryptCommand } from './commands/encrypt.ts'
import { keygenCommand } from './commands/keygen.ts'
import { keysCommand } from './commands/keys.ts'

const epilogue = `
Settings come from flags, then ASHERAH_* variables, then asherah.config.json (or --config FILE).
Exit codes: 0 done, 1 failed, 2 bad options, 65 bad input data, 130 interrupted.

First steps:
  $ asherah keygen master.key
  $ asherah encrypt customers.csv --field email --field ssn --partition-field tenant \\
      --service crm --product shop --metastore sqlite://keys.db --master-key-file master.key -o customers.enc.csv
  $ asherah decrypt customers.enc.csv … -o customers.csv
  $ asherah demo        shows all of it on made-up data`

/** The command line. Errors are thrown, after commander has printed its own. */
export function createProgram(context: CommandContext): Command {
  const program = createCommand(
    'asherah',
    'Encrypt and decrypt fields of CSV and JSON Lines, and whole files, with Asherah keys.',
  )
    .version(packageJson.version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'show help for a command')
    .addHelpText('after', epilogue)
  for (const command of [
    encryptCommand(context),
    decryptCommand(context),
    keygenCommand(context),
    keysCommand(context),
    doctorCommand(context),
    demoCommand(context),
  ]) {
    program.addCommand(command)
  }
  for (const command of withSubcommands(program)) {
    command
      .exitOverride((error) => {
        throw error
      })
      .configureOutput({
        writeOut: (text) => void context.stdout.write(text),
        writeErr: (text) => void context.stderr.write(text),
        outputError: (text, write) => write(`asherah: ${usageError(text)} (see ${pathOf(command)} --help)\n`),
      })
  }
  return program
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

/** Commander's text without its prefix, on one line, and without the value in `unknown option '--name=value'`. */
function usageError(text: string): string {
  return text
    .replace(/^error: /, '')
    .replace(/(unknown option '[^'=]*)=[^']*'/, "$1'")
    .trim()
    .replace(/\s*\n\s*/g, ' ')
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}
