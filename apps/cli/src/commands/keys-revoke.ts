import { InvalidConfigError } from '@asherah/core'
import { type Command, Option } from 'commander'
import { createStreamOutput } from '../io/output.ts'
import { formatAge, isoTime } from '../keys/key-state.ts'
import { planRevocation, type RevocationPlan, revoke, type Versions } from '../keys/revocation.ts'
import { intermediateKeyId, systemKeyId } from '../keys/rotation.ts'
import { formatCount, plural } from '../summary.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'
import { addKeysOptions, addOwnerOptions, type KeysFlags, type OpenKeys, withMetastore } from './keys-options.ts'

const help = `
What will be affected is shown first; nothing is changed without --yes.
A revoked key encrypts no more and goes on decrypting: nothing becomes unreadable, and nobody is locked out who has it.
Running processes notice at their next check of the key, at most their revokeCheckIntervalMs (default 60 minutes) later;
twice that, where staleWhileRevalidate is on. A revocation cannot be taken back.

Examples:
  $ asherah keys revoke --system --service crm --product shop          shows what it would do
  $ asherah keys revoke --partition acme --service crm --product shop --yes
  $ asherah keys revoke _SK_crm_shop --created 2026-11-21T11:39:00Z --yes`

interface RevokeFlags extends KeysFlags {
  readonly system?: boolean
  readonly partition?: string
  readonly created?: string
  readonly allVersions?: boolean
  readonly yes?: boolean
}

/** `asherah keys revoke` */
export function keysRevokeCommand(context: CommandContext): Command {
  return addKeysOptions(addOwnerOptions(createCommand('revoke', 'mark a key, so that nothing is encrypted under it')))
    .argument('[id]', 'key id, as keys list prints it, such as _SK_crm_shop')
    .option('--system', 'the system key of --service and --product')
    .option('--partition <id>', 'the intermediate key of a partition of --service and --product')
    .option('--created <time>', 'this version, as keys list prints its time; default: the latest')
    .option('--all-versions', 'every version')
    .option('--yes', 'do it')
    .addOption(notNeeded('--master-key-file <file>'))
    .addOption(notNeeded('--kms <setting>'))
    .addHelpText('after', help)
    .action(async (id: string | undefined, flags: RevokeFlags) => {
      checkFlags(id, flags)
      const versions = versionsOf(flags)
      await withMetastore(flags, context, async (keys) => {
        const keyId = id ?? idOf(flags, keys)
        const { metastore, expireAfterMs } = keys
        const plan = await planRevocation({ metastore, keyId, versions, now: Date.now(), expireAfterMs })
        if (plan === undefined)
          throw new InvalidConfigError(
            `the metastore has no ${flags.created === undefined ? '' : 'such version of a '}key '${printable(keyId)}': see asherah keys list`,
          )
        const done = flags.yes === true && plan.versions.length > 0
        if (done) await revoke(metastore, plan)
        const output = createStreamOutput(context.stdout, 'standard output', { end: false })
        await output.write(Buffer.from(flags.json === true ? `${toJson(plan, done)}\n` : formatPlan(plan, done)))
        if (plan.versions.length > 0 && !done) throw new InvalidConfigError('nothing was changed: add --yes to revoke')
      })
    })
}

/** Not a real option: `rotate` has it, so people give it here too. */
function notNeeded(flags: string): Option {
  return new Option(flags).hideHelp().argParser(() => {
    throw new InvalidConfigError(
      `keys revoke opens no key and needs no KMS or master key: leave out ${flags.replace(/ .*/, '')}`,
    )
  })
}

function checkFlags(id: string | undefined, { system, partition, created, allVersions }: RevokeFlags): void {
  const named = [id, system, partition].filter((one) => one !== undefined)
  if (named.length !== 1) throw new InvalidConfigError('say which key: its id, --system, or --partition ID')
  if (created !== undefined && allVersions === true) {
    throw new InvalidConfigError('give --created or --all-versions, not both')
  }
}

function versionsOf({ created, allVersions }: RevokeFlags): Versions {
  if (allVersions === true) return 'all'
  if (created === undefined) return 'latest'
  const seconds = /^\d{1,12}$/.test(created) ? Number(created) : Date.parse(created) / 1_000
  if (!Number.isSafeInteger(seconds)) {
    throw new InvalidConfigError(
      '--created must be a time as keys list prints it, such as 2026-11-21T11:39:00Z, or Unix seconds',
    )
  }
  return { created: seconds }
}

function idOf({ partition }: RevokeFlags, { settings, metastore }: OpenKeys): string {
  const owner = { service: settings.required('service'), product: settings.required('product'), metastore }
  return partition === undefined ? systemKeyId(owner) : intermediateKeyId(partition, owner)
}

function formatPlan({ keyId, kind, versions, reached }: RevocationPlan, done: boolean): string {
  const id = printable(keyId)
  if (versions.length === 0) return `${id} is revoked already: nothing to do\n`
  const now = Date.now() / 1_000
  const lines = versions.map(
    ({ created, state }) =>
      `  ${id}  ${isoTime(created)}  ${formatAge(Math.max(0, Math.floor(now - created)))}  ${state}`,
  )
  const more = reached.total > reached.some.length ? `, … (${formatCount(reached.total)} in all)` : ''
  const effect =
    kind === 'system'
      ? [
          `${plural(reached.total, 'intermediate key')} under it will encrypt no more (valid now: ${formatCount(reached.valid)})`,
          ...(reached.total > 0 ? [`  ${reached.some.map(printable).join(', ')}${more}`] : []),
          'The next encryption makes a new system key, and a new intermediate key for its partition',
        ]
      : ['The next encryption of its partition makes a new intermediate key']
  return [
    `${done ? 'Revoked' : 'Would revoke'} ${plural(versions.length, 'version')} of ${kind === 'system' ? 'a system' : 'an intermediate'} key`,
    ...lines,
    ...effect,
    'What was encrypted before stays readable',
    '',
  ].join('\n')
}

function toJson({ keyId, kind, versions, reached }: RevocationPlan, done: boolean): string {
  return JSON.stringify({
    id: keyId,
    kind,
    done,
    versions: versions.map(({ created, state }) => ({ created: isoTime(created), createdUnix: created, state })),
    intermediateKeys: { total: reached.total, valid: reached.valid, some: reached.some },
  })
}
