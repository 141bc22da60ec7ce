import type { Readable, Writable } from 'node:stream'
import type { PromptInput } from '../keys/hidden-prompt.ts'

/** What a command uses of its process; tests give their own. */
export interface CommandContext {
  readonly stdin: Readable & PromptInput & { readonly isTTY?: boolean | undefined }
  readonly stdout: Writable & { readonly isTTY?: boolean | undefined }
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined }
  readonly env: Readonly<Record<string, string | undefined>>
}
