import { AsherahError } from '@asherah/core'
import { CommanderError } from 'commander'
import { BrokenPipeError } from './io/output.ts'

/** What to do about an error of the library, by its code. */
const hints: Readonly<Record<string, string>> = {
  ERR_ASHERAH_WRONG_PARTITION: 'check the partition, --service and --product',
  ERR_ASHERAH_KEY_NOT_FOUND: 'check --metastore, --service and --product',
  ERR_ASHERAH_DECRYPTION_FAILED: 'the data or a key was altered',
  ERR_ASHERAH_KMS: 'check --kms, and that the master key is the one that this metastore was made with',
  ERR_ASHERAH_FUTURE_KEY: "check this machine's clock",
}

/**
 * Prints one line that says what is wrong and what to do; with `debug`, stacks and causes too.
 *
 * Commander has printed its own errors already, and nobody is there to read about a broken pipe.
 */
export function reportError(
  error: unknown,
  stderr: { write(text: string): unknown },
  options: { readonly debug: boolean },
): void {
  if (!(error instanceof CommanderError) && !(error instanceof BrokenPipeError)) {
    stderr.write(`asherah: ${formatError(error)}\n`)
  }
  if (options.debug && !(error instanceof CommanderError && error.exitCode === 0)) stderr.write(formatCauses(error))
}

/** An error's message on one line, with a hint where there is one. */
function formatError(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ')
  const hint = error instanceof AsherahError ? hints[error.code] : undefined
  return hint === undefined || message.includes(hint) ? message : `${message}; ${hint}`
}

function formatCauses(error: unknown): string {
  let text = ''
  const seen = new Set<unknown>()
  for (let at: unknown = error; at !== undefined && !seen.has(at); at = at instanceof Error ? at.cause : undefined) {
    seen.add(at)
    const code = at instanceof Error && 'code' in at ? ` [${String(at.code)}]` : ''
    text += `${seen.size === 1 ? '' : 'caused by '}${at instanceof Error ? (at.stack ?? at.message) : String(at)}${code}\n`
  }
  return text
}
