import { execFile } from 'node:child_process'

/** How a finished command ended. */
export type ToolRun =
  | { readonly status: 'ok'; readonly output: string }
  | { readonly status: 'missing' }
  | { readonly status: 'failed'; readonly output: string }

/**
 * Runs a command to its end; a missing command is an answer, not an error.
 *
 * @param timeoutMs the command is killed after this; default 90,000.
 */
export function runTool(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly timeoutMs?: number } = {},
): Promise<ToolRun> {
  return new Promise((resolve) => {
    const settings = {
      cwd: options.cwd,
      timeout: options.timeoutMs ?? 90_000,
      killSignal: 'SIGKILL',
      maxBuffer: 16 * 1024 * 1024,
      // Maven is a batch file there, which only a shell runs.
      shell: process.platform === 'win32',
    } as const
    execFile(command, args, settings, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim()
      if (error === null) resolve({ status: 'ok', output })
      else if (error.code === 'ENOENT') resolve({ status: 'missing' })
      else resolve({ status: 'failed', output: output === '' ? error.message : output })
    })
  })
}
