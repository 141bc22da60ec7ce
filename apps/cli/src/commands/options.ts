import { InvalidConfigError } from '@asherah/core'
import { type Command, Option } from 'commander'
import { kmsFlag } from '../keys/kms-setting.ts'
import type { TransformFlags } from './transform.ts'

/** Adds the options that `encrypt` and `decrypt` share. */
export function addTransformOptions(command: Command, verb: string): Command {
  return command
    .argument('[input]', 'file to read; - or nothing: standard input')
    .option('-o, --output <file>', 'file to write; - or nothing: standard output')
    .optionsGroup('What:')
    .addOption(new Option('--field <name>', `column or member to ${verb}; may be repeated`).argParser(collect))
    .option('--partition-field <name>', 'column or member that names the partition (tenant, user, …) of each row')
    .option('--partition <id>', 'one partition for everything')
    .option('--format <name>', 'csv, jsonl, file or record; default: by extension, else file')
    .option('--delimiter <character>', 'of CSV; default , or, for .tsv, tab')
    .option('--allow-missing', 'copy JSONL rows that lack a field, instead of failing')
    .optionsGroup('Keys:')
    .option('--service <name>', 'service that the keys belong to')
    .option('--product <name>', 'product that the keys belong to')
    .option('--metastore <url>', 'where wrapped keys are kept: sqlite://PATH, or the URL of a database')
    .option(...kmsFlag)
    .option('--master-key-file <file>', 'file of the master key; or ASHERAH_MASTER_KEY_HEX, or a prompt')
    .option('--expire-after <duration>', 'age at which keys stop encrypting, such as 12h or 30d; default 90d')
    .addOption(refusedKeyOption('--master-key <hex>'))
    .addOption(refusedKeyOption('--master-key-hex <hex>'))
    .optionsGroup('Running:')
    .option('--config <file>', 'config file; default asherah.config.json, if it is there')
    .option('--force', 'replace an existing output, and drop what an interrupted run left')
    .option('--resume', 'go on with an interrupted run of the same command')
    .option('--concurrency <count>', 'values in work at once; default 256')
    .option('--json', 'print the summary as JSON: on standard output, or on standard error when data goes there')
    .option('--quiet', 'no progress bar and no summary')
    .option('--debug', 'show stacks and causes of errors')
}

/** The flags of a run, out of what commander parsed; the rest of that are settings. */
export function transformFlags(options: Readonly<Record<string, unknown>>): TransformFlags {
  const { output } = options
  return {
    output: typeof output === 'string' ? output : undefined,
    force: options.force === true,
    resume: options.resume === true,
    quiet: options.quiet === true,
    json: options.json === true,
  }
}

/** Not a real option: says why there is none. The value is not repeated. */
function refusedKeyOption(flags: string): Option {
  return new Option(flags).hideHelp().argParser(() => {
    throw new InvalidConfigError(
      'the master key is never an argument, which ps shows: use --master-key-file, ASHERAH_MASTER_KEY_HEX or the prompt',
    )
  })
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}
