import type { CommandContext } from './commands/context.ts'
import { exitCodeFor } from './exit-codes.ts'
import { createProgram } from './program.ts'
import { reportError } from './report-error.ts'

/** What {@link main} uses of a process. */
export interface CliProcess extends CommandContext {
  exitCode?: number | string | null | undefined
}

/** Runs the command line and sets the exit code; never rejects. */
export async function main(args: readonly string[], process: CliProcess): Promise<void> {
  try {
    await createProgram(process).parseAsync(args, { from: 'user' })
  } catch (error) {
    reportError(error, process.stderr, { debug: args.includes('--debug') })
    process.exitCode = exitCodeFor(error)
  }
}
