import type { Command } from 'commander'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { keysListCommand } from './keys-list.ts'
import { keysRevokeCommand } from './keys-revoke.ts'
import { keysRotateCommand } from './keys-rotate.ts'
import { keysShowCommand } from './keys-show.ts'

/** `asherah keys` */
export function keysCommand(context: CommandContext): Command {
  return createCommand('keys', 'list, rotate and revoke the keys of a metastore; key bytes are never shown')
    .helpCommand(false)
    .addCommand(keysListCommand(context))
    .addCommand(keysShowCommand(context))
    .addCommand(keysRotateCommand(context))
    .addCommand(keysRevokeCommand(context))
}
