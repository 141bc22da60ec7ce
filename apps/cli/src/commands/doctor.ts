import { InvalidConfigError, type MetastoreReport } from '@asherah/core'
import type { SecureMemoryReport } from '@asherah/secure-memory'
import type { Command } from 'commander'
import { loadSettings } from '../config-file.ts'
import { type ConfigReport, inspectConfig } from '../doctor/config.ts'
import { inspectMetastore } from '../doctor/metastore.ts'
import { inspectNative, type NativeReport } from '../doctor/native.ts'
import { MetastoreUnfitError } from '../errors.ts'
import { createStreamOutput } from '../io/output.ts'
import { metastorePlace } from '../keys/metastore-url.ts'
import { plural } from '../summary.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'

const help = `
pass, warn: fit for use; fail: not. A query under a finding, for the database's own tool, shows what it is about.
The exit code is 1 when the config or the metastore has a fail, else 0: memory and native path are of this machine, not of the data.
Nothing is written, and a metastore that is not there is not made. No master key is needed.
A connection string with a password is better given as ASHERAH_METASTORE: ps shows flags.

Example:
  $ asherah doctor --metastore sqlite://keys.db --key-id _SK_crm_shop`

interface DoctorFlags {
  readonly metastore?: string
  readonly keyId?: string
  readonly config?: string
  readonly json?: boolean
}

/** What `asherah doctor --json` prints. */
interface DoctorReport {
  /** False when the metastore has a fail, and so when the exit code is 1. */
  readonly ok: boolean
  readonly memory: SecureMemoryReport
  readonly native: NativeReport
  /** Only when `--config` names a config of the library. */
  readonly config?: ConfigReport
  /** Null when no metastore was named. Its `url` holds no password. */
  readonly metastore: (MetastoreReport & { readonly url: string; readonly keyId: string | null }) | null
}

/** `asherah doctor` */
export function doctorCommand(context: CommandContext): Command {
  return createCommand('doctor', 'check memory protection, the native path and a metastore; writes nothing')
    .option('--metastore <url>', 'metastore to check: sqlite://PATH, or the URL of a database')
    .option('--key-id <id>', 'also load the latest key of this id, such as _SK_crm_shop')
    .option(
      '--config <file>',
      'config file (default asherah.config.json, if it is there); a config of the library, old or new, is reviewed',
    )
    .option('--json', 'print JSON')
    .option('--debug', 'show stacks and causes of errors')
    .addHelpText('after', help)
    .action(async (flags: DoctorFlags) => {
      const report = await examine(flags, context)
      const output = createStreamOutput(context.stdout, 'standard output', { end: false })
      await output.write(Buffer.from(flags.json === true ? `${toJson(report)}\n` : formatReport(report)))
      if (!report.ok) throw new MetastoreUnfitError(unfit(report))
    })
}

async function examine(flags: DoctorFlags, context: CommandContext): Promise<DoctorReport> {
  const config = await inspectConfig(flags.config)
  const { config: _library, ...others } = flags
  const settings = await loadSettings(config === undefined ? { ...flags } : others, context.env)
  const url = settings.text('metastore')
  const { keyId } = flags
  if (keyId === '') throw new InvalidConfigError('--key-id must be non-empty text')
  if (keyId !== undefined && url === undefined) throw new InvalidConfigError('--key-id needs --metastore')
  const place = url === undefined ? undefined : metastorePlace(url)
  const checked = place && { url: place.label, keyId: keyId ?? null, ...(await inspectMetastore(place, keyId)) }
  // Imported late: no other command needs them, nor should one fail for what they load.
  const [{ secureMemoryReport }, { nativeStatus }] = await Promise.all([
    import('@asherah/secure-memory'),
    import('@asherah/native-ffi'),
  ])
  return {
    ok: checked?.ok !== false && config?.ok !== false,
    memory: secureMemoryReport(),
    native: inspectNative(() => nativeStatus()),
    ...(config !== undefined && { config }),
    metastore: checked ?? null,
  }
}

/** JSON has no Infinity: a limit that there is not becomes text, since null would read as unknown. */
function toJson(report: DoctorReport): string {
  return JSON.stringify(report, (_, value: unknown) => (value === Number.POSITIVE_INFINITY ? 'unlimited' : value))
}

interface Finding {
  readonly level: 'pass' | 'warn' | 'fail'
  readonly check: string
  readonly message: string
  readonly query?: string
}

function formatReport({ memory, native, config, metastore }: DoctorReport): string {
  return [
    ...(config === undefined ? [] : [formatSection('Config', config.findings)]),
    formatSection(`Memory protection on ${memory.platform}`, memory.findings),
    formatSection('Native path', native.findings),
    metastore === null
      ? 'Metastore: not checked, since none is named (--metastore)\n'
      : formatSection(`Metastore ${metastore.url}`, metastore.findings),
  ].join('\n')
}

function formatSection(title: string, findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap(({ level, check, message, query }) => {
    const line = `  ${level}  ${check.padEnd(width)}  ${printable(message)}`
    if (level === 'pass' || query === undefined) return [line]
    // Core's statements may run over several lines.
    return [line, `        ${' '.repeat(width)}query: ${printable(query.replace(/\s+/g, ' '))}`]
  })
  return [printable(title), ...lines, ''].join('\n')
}

function unfit({ config, metastore }: DoctorReport): string {
  if (config?.ok === false) {
    const refused = config.findings.filter(({ level }) => level === 'fail').length
    return `the config is refused: ${plural(refused, 'fail')}`
  }
  const fails = metastore?.findings.filter(({ level }) => level === 'fail').length ?? 0
  return `the metastore is not fit for use: ${plural(fails, 'fail')}`
}
