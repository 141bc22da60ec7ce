import { InvalidConfigError, type MetastoreReport } from '@asherah/core'
import type { SecureMemoryReport } from '@asherah/secure-memory'
import type { Command } from 'commander'
import { loadSettings } from '../config-file.ts'
import { type ConfigReport, inspectConfig } from '../doctor/config.ts'
import { inspectKms } from '../doctor/kms.ts'
import { inspectMetastore, latestKey } from '../doctor/metastore.ts'
import { inspectNative, type NativeReport } from '../doctor/native.ts'
import { MetastoreUnfitError } from '../errors.ts'
import { createStreamOutput } from '../io/output.ts'
import { isoTime } from '../keys/key-state.ts'
import { kmsFlag, openKms } from '../keys/kms-setting.ts'
import { type MetastorePlace, metastorePlace } from '../keys/metastore-url.ts'
import type { Settings } from '../settings.ts'
import { plural } from '../summary.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'

const help = `
pass, warn: fit for use; fail: not. A query under a finding, for the database's own tool, shows what it is about.
The exit code is 1 when the config, the metastore or the KMS has a fail, else 0: memory and native path are of this machine, not of the data.
Nothing is written, and a metastore that is not there is not made. A KMS is checked only if --kms (or its variable or config key)
names one: it wraps and unwraps a random key, and unwraps the system key of --key-id.
A connection string with a password is better given as ASHERAH_METASTORE: ps shows flags.

Example:
  $ asherah doctor --metastore sqlite://keys.db --key-id _SK_crm_shop`

interface DoctorFlags {
  readonly metastore?: string
  readonly keyId?: string
  readonly kms?: string
  readonly masterKeyFile?: string
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
  /** Only when a KMS is named. */
  readonly kms?: MetastoreReport
}

/** `asherah doctor` */
export function doctorCommand(context: CommandContext): Command {
  return createCommand('doctor', 'check memory protection, the native path, a metastore and a KMS; writes nothing')
    .option('--metastore <url>', 'metastore to check: sqlite://PATH, or the URL of a database')
    .option('--key-id <id>', 'also load the latest key of this id, such as _SK_crm_shop')
    .option(...kmsFlag)
    .option('--master-key-file <file>', 'file of the master key, for --kms static; or ASHERAH_MASTER_KEY_HEX')
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
  const kms =
    settings.given('kms') && (await examineKms(settings, context, checked?.ok === true ? place : undefined, keyId))
  // Imported late: no other command needs them, nor should one fail for what they load.
  const [{ secureMemoryReport }, { nativeStatus }] = await Promise.all([
    import('@asherah/secure-memory'),
    import('@asherah/native-ffi'),
  ])
  return {
    ok: checked?.ok !== false && kms?.ok !== false && config?.ok !== false,
    memory: secureMemoryReport(),
    native: inspectNative(() => nativeStatus()),
    ...(config !== undefined && { config }),
    metastore: checked ?? null,
    ...(kms !== undefined && { kms }),
  }
}

/** @param place of a metastore that is fit: the system key of `--key-id` is in it. */
async function examineKms(
  settings: Settings,
  { env, stderr }: CommandContext,
  place: MetastorePlace | undefined,
  keyId: string | undefined,
): Promise<MetastoreReport> {
  const warn = (message: string): void => void stderr.write(`asherah: warning: ${message}\n`)
  const kms = await openKms({ settings, env, prompt: undefined, warn })
  try {
    return await inspectKms(kms, place && keyId?.startsWith('_SK_') ? await latestKey(place, keyId) : undefined)
  } finally {
    await kms.close?.()
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

function formatReport({ memory, native, config, metastore, kms }: DoctorReport): string {
  return [
    ...(config === undefined ? [] : [formatSection('Config', config.findings)]),
    formatSection(`Memory protection on ${memory.platform}`, memory.findings),
    formatSection('Native path', native.findings),
    metastore === null
      ? 'Metastore: not checked, since none is named (--metastore)\n'
      : formatSection(`Metastore ${metastore.url}`, metastore.findings),
    ...(kms === undefined ? [] : [formatSection('KMS', kms.findings)]),
  ].join('\n')
}

function formatSection(title: string, findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap(({ level, check, message, query }) => {
    const line = `  ${level}  ${check.padEnd(width)}  ${printable(withDate(message))}`
    if (level === 'pass' || query === undefined) return [line]
    // Core's statements may run over several lines.
    return [line, `        ${' '.repeat(width)}query: ${printable(query.replace(/\s+/g, ' '))}`]
  })
  return [printable(title), ...lines, ''].join('\n')
}

/** Metastores tell `created` as it is in the row, in Unix seconds. */
function withDate(message: string): string {
  return message.replace(/\bcreated (\d+)$/, (text, seconds) => `${text} (${isoTime(Number(seconds))})`)
}

function unfit({ config, metastore, kms }: DoctorReport): string {
  if (config?.ok === false) {
    const refused = config.findings.filter(({ level }) => level === 'fail').length
    return `the config is refused: ${plural(refused, 'fail')}`
  }
  const [what, report] = metastore?.ok === false ? ['metastore', metastore] : ['KMS', kms]
  const fails = report?.findings.filter(({ level }) => level === 'fail').length ?? 0
  return `the ${what} is not fit for use: ${plural(fails, 'fail')}`
}
