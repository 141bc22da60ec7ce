import type { Command } from 'commander'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { keysListCommand } from './keys-list.ts'
import { keysRepairCommand } from './keys-repair.ts'
import { keysRevokeCommand } from './keys-revoke.ts'
import { keysRotateCommand } from './keys-rotate.ts'
import { keysShowCommand } from './keys-show.ts'

/** `asherah keys` */
export function keysCommand(context: CommandContext): Command {
  return createCommand('keys', 'list, rotate, revoke and repair the keys of a metastore; key bytes are never shown')
    .helpCommand(false)
    .addCommand(keysListCommand(context))
    .addCommand(keysShowCommand(context))
    .addCommand(keysRotateCommand(context))
    .addCommand(keysRevokeCommand(context))
    .addCommand(keysRepairCommand(context))
}
