import { Worker } from 'node:worker_threads'
import { installExitHandlers } from '@asherah/secure-memory'
import { describe, expect, test } from 'vitest'
import { type ChildResult, endOf, runChild, startChild } from './support/run-child.ts'

/** Starts a scenario, sends the signal once it is ready, and waits for its end. */
async function signalled(scenario: string, signal: NodeJS.Signals): Promise<ChildResult> {
  const child = startChild('exit.ts', [scenario])
  child.stdout.on('data', (text: Buffer) => {
    if (text.toString().includes('ready')) child.kill(signal)
  })
  return endOf(child)
}

/** Both factories: each says that it was wiped. */
const purged = ['purged', 'purged']

function lines(result: ChildResult): string[] {
  return result.stdout.trim().split('\n')
}

const onWindows = process.platform === 'win32'
if (onWindows) console.warn('SKIPPED: exit handlers: Windows has no signals that a test could send')

describe.skipIf(onWindows)('D-115 exit handlers', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s that nobody else handles: wiped, then ended by it',
    async (signal) => {
      const result = await signalled('signal alone', signal)
      expect(result).toMatchObject({ code: null, signal })
      expect(lines(result)).toEqual(['ready', ...purged])
    },
  )

  test('installed twice: ended by the signal all the same', async () => {
    const result = await signalled('two installs', 'SIGTERM')
    expect(result).toMatchObject({ code: null, signal: 'SIGTERM' })
    expect(lines(result).slice(0, 3)).toEqual(['ready', ...purged])
  })

  test('uninstalled: the process is as before', async () => {
    const result = await signalled('uninstalled', 'SIGTERM')
    expect(result).toMatchObject({ code: null, signal: 'SIGTERM' })
    expect(lines(result)).toEqual(['as before', 'ready'])
  })

  test("the program's handlers run in their order with usable secrets, and their exit code stays", async () => {
    const result = await signalled('handler exits', 'SIGTERM')
    expect(result).toMatchObject({ code: 7, signal: null })
    expect(lines(result)).toEqual(['ready', 'first usable', 'second usable', 'exit 7 usable', ...purged])
  })

  test('a `once` handler that shuts down slowly has usable secrets to the end', async () => {
    const result = await signalled('handler shuts down slowly', 'SIGTERM')
    expect(result).toMatchObject({ code: 5, signal: null })
    expect(lines(result)).toEqual(['ready', 'once usable', 'later usable', 'exit 5 usable', ...purged])
  })

  test('a `once` handler that was put before ours is seen, too', async () => {
    const result = await signalled('prepended once handler', 'SIGTERM')
    expect(result).toMatchObject({ code: 6, signal: null })
    expect(lines(result)).toEqual(['ready', 'once usable', ...purged])
  })

  test('a handler that goes on, such as one that reloads, keeps its secrets', async () => {
    const result = await signalled('handler goes on', 'SIGHUP')
    expect(result).toMatchObject({ code: 0, signal: null })
    expect(lines(result)).toEqual(['ready', 'reload usable', 'exit usable', ...purged])
  })

  test('process.exit in an exit hook: wiped, with the exit code of the hook', async () => {
    const result = await runChild('exit.ts', ['exit in an exit hook'])
    expect(result).toMatchObject({ code: 9, signal: null })
    expect(lines(result)).toEqual(['hook 4 usable', ...purged])
  })

  test('the natural end: wiped after the exit listeners, and the exit code stays', async () => {
    const result = await runChild('exit.ts', ['natural end'])
    expect(result).toMatchObject({ code: 3, signal: null })
    expect(lines(result)).toEqual(['exit 3 usable', ...purged])
  })

  test.each(['uncaught exception', 'unhandled rejection'])(
    '%s: wiped first, printed, exit code 1',
    async (scenario) => {
      const result = await runChild('exit.ts', [scenario])
      expect(result).toMatchObject({ code: 1, signal: null })
      expect(lines(result)).toEqual([...purged, 'exit 1 closed,closed', ...purged])
      expect(result.stderr).toContain('nobody catches this')
    },
  )

  test('uncaughtException: false leaves the wipe to the exit', async () => {
    const result = await runChild('exit.ts', ['uncaught exception, off'])
    expect(result).toMatchObject({ code: 1, signal: null })
    expect(lines(result)).toEqual(['exit 1 usable', ...purged])
  })

  test('an exception that the program handles wipes nothing', async () => {
    const result = await runChild('exit.ts', ['handled exception'])
    expect(result).toMatchObject({ code: 0, signal: null })
    expect(lines(result)).toEqual(['handled mine usable', 'exit 0 usable', ...purged])
  })

  test('without installExitHandlers nothing is wiped or changed', async () => {
    const result = await runChild('exit.ts', ['no handlers installed'])
    expect(result).toMatchObject({ code: 3, signal: null })
    expect(lines(result)).toEqual(['exit 3 usable'])
  })

  test.each([
    [{ signals: ['SIGTREM'] }, 'SIGTERM'],
    [{ signals: ['SIGKILL'] }, 'SIGKILL'],
    [{ signals: ['SIGWINCH'] }, 'SIGWINCH'],
    [{ signals: 'SIGTERM' }, 'list'],
    [{ signal: [] }, 'did you mean signals'],
    [{ uncaughtException: 'yes' }, 'true or false'],
  ])('%j is refused', (options, message) => {
    // @ts-expect-error what a caller without types may pass
    const call = (): unknown => installExitHandlers(options)
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG' }))
    expect(call).toThrow(message)
  })

  test('a worker thread takes no signals, and wipes at its own exit', async () => {
    const worker = new Worker(new URL('./children/exiting-worker.ts', import.meta.url), {
      execArgv: ['--conditions=asherah-source'],
    })
    const messages: unknown[] = []
    worker.on('message', (message) => messages.push(message))
    const [code] = await new Promise<unknown[]>((resolve, reject) => {
      worker.on('error', reject).on('exit', (...args) => resolve(args))
    })
    expect(code).toBe(0)
    expect(messages).toEqual(['ERR_ASHERAH_INVALID_CONFIG', 'usable', 'purged'])
  })
})
