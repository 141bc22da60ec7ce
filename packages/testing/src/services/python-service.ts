import { join } from 'node:path'
import { preparedFolder } from './cache-dir.ts'
import { runTool, type ToolRun } from './run-tool.ts'
import { ServiceUnavailableError } from './service.ts'

/** Ten minutes: LocalStack is 500 MB. */
const INSTALL_TIMEOUT_MS = 600_000

/**
 * The Python of a virtual environment with these packages, made once in the user's cache folder.
 *
 * @param release such as `3.11`; default any Python 3.
 * @throws ServiceUnavailableError when there is no such Python here, or pip cannot install the packages.
 */
export async function pythonWith(name: string, packages: readonly string[], release?: string): Promise<string> {
  const base = await findPython(name, release)
  const python = process.platform === 'win32' ? join('Scripts', 'python.exe') : join('bin', 'python')
  const folder = await preparedFolder(name, [base.version, ...packages], async (draft) => {
    need(name, `${base.command} -m venv`, await runTool(base.command, ['-m', 'venv', draft]))
    const install = ['-m', 'pip', 'install', '-q', '--prefer-binary', ...packages]
    need(name, 'pip install', await runTool(join(draft, python), install, { timeoutMs: INSTALL_TIMEOUT_MS }))
  })
  return join(folder, python)
}

async function findPython(name: string, release: string | undefined): Promise<{ command: string; version: string }> {
  // The plain name last: it may be any release, and a version manager's shim of a release that is not installed fails.
  const names = release === undefined ? [] : [`python${release}`, `/usr/bin/python${release}`]
  for (const command of [...names, 'python3', 'python']) {
    const run = await runTool(command, ['--version'])
    if (run.status === 'ok' && run.output.startsWith(`Python ${release ?? '3'}.`)) {
      return { command, version: run.output }
    }
  }
  throw new ServiceUnavailableError(`${name} needs Python ${release ?? '3'} on the PATH`)
}

function need(name: string, what: string, run: ToolRun): void {
  if (run.status === 'ok') return
  const why = run.status === 'missing' ? 'is not on the PATH' : `failed: ${run.output.slice(-1_000)}`
  throw new ServiceUnavailableError(`${name}: ${what} ${why}`)
}
