import type { CommandContext } from './commands/context.ts'
import { hasCode } from './errors.ts'
import { exitCodeFor, exitCodes } from './exit-codes.ts'
import { createProgram } from './program.ts'
import { reportError } from './report-error.ts'

/** What {@link main} uses of a process. */
export interface CliProcess extends CommandContext {
  exitCode?: number | string | null | undefined
}

/** Runs the command line and sets the exit code; never rejects. */
export async function main(args: readonly string[], process: CliProcess): Promise<void> {
  // Without listeners a closed pipe (`asherah --help | head -1`) would end the process with a stack trace.
  process.stdout.on('error', (error) => {
    process.exitCode = hasCode(error, 'EPIPE') ? exitCodes.brokenPipe : exitCodes.failure
  })
  process.stderr.on('error', () => undefined)
  try {
    await createProgram(process).parseAsync(args, { from: 'user' })
  } catch (error) {
    reportError(error, process.stderr, { debug: args.includes('--debug') })
    const code = exitCodeFor(error)
    if (code !== exitCodes.ok) process.exitCode = code
  }
}
