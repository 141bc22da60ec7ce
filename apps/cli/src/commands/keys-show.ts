import { InvalidConfigError } from '@asherah/core'
import type { Command } from 'commander'
import { createStreamOutput } from '../io/output.ts'
import { effectiveState, formatAge, type KeyInfo } from '../keys/key-state.ts'
import { plural } from '../summary.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'
import { addKeysOptions, type KeysFlags, withKeys } from './keys-options.ts'

/** `asherah keys show` */
export function keysShowCommand(context: CommandContext): Command {
  return addKeysOptions(createCommand('show', 'show every version of one key'))
    .argument('<id>', 'key id, as keys list prints it, such as _SK_crm_shop')
    .action(async (id: string, flags: KeysFlags) => {
      await withKeys(flags, context, id, async (keys) => {
        const output = createStreamOutput(context.stdout, 'standard output', { end: false })
        let found = 0
        for await (const key of keys) {
          const text = flags.json === true ? `${JSON.stringify(key)}\n` : `${found > 0 ? '\n' : ''}${formatKey(key)}`
          await output.write(Buffer.from(text))
          found++
        }
        if (found === 0)
          throw new InvalidConfigError(`the metastore has no key '${printable(id)}': see asherah keys list`)
      })
    })
}

function formatKey(key: KeyInfo): string {
  const parent =
    key.parent === null ? 'none: the master key wraps it' : `${key.parent.id} created ${key.parent.created}`
  const rows: readonly (readonly [string, string])[] = [
    ['id', key.id],
    ['kind', `${key.kind} key`],
    ['created', `${key.created} (Unix ${key.createdUnix})`],
    ['age', formatAge(key.ageSeconds)],
    ['expires', key.expires],
    ['state', effectiveState(key)],
    ['parent', parent],
    ['uses', key.uses === null ? 'not counted in a metastore' : `wraps ${plural(key.uses, 'intermediate key')}`],
  ]
  return rows.map(([name, value]) => `${name.padEnd(8)} ${printable(value)}\n`).join('')
}
