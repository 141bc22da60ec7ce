import { isMainThread } from 'node:worker_threads'
import { checkKnownOptions, InvalidConfigError, nearestName } from '@asherah/core/backend'
import { keepFirst, keepLast, mark, othersListen } from './internal/process-listeners.ts'
import { purge } from './internal/registry.ts'

/** The signals that {@link installExitHandlers} takes: those that end a Node process, and that JavaScript can handle. */
export type ExitSignal =
  | 'SIGINT'
  | 'SIGTERM'
  | 'SIGHUP'
  | 'SIGQUIT'
  | 'SIGABRT'
  | 'SIGALRM'
  | 'SIGXCPU'
  | 'SIGUSR2'
  | 'SIGBREAK'

/** Options of {@link installExitHandlers}. */
export interface ExitHandlersOptions {
  /**
   * Wipe when such a signal ends the process. Default `SIGINT`, `SIGTERM` and `SIGHUP`; none on worker threads, which get
   * no signals.
   */
  readonly signals?: readonly ExitSignal[]
  /** Wipe when an uncaught exception or an unhandled rejection ends the process, before it is printed. Default true. */
  readonly uncaughtException?: boolean
}

const EXIT_SIGNALS: readonly ExitSignal[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGABRT',
  'SIGALRM',
  'SIGXCPU',
  'SIGUSR2',
  'SIGBREAK',
]
const DEFAULT_SIGNALS: readonly ExitSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Wipes every live secret of this thread when the process ends: at `exit`, by a signal, or by an uncaught exception.
 *
 * The program's own handlers keep their say and their order. While it listens to the signal, or to `uncaughtException`,
 * itself, nothing is wiped there, since it may go on, or need its keys to shut down; once it exits, the wipe comes after
 * its own `exit` listeners (but for those that were added in that very turn). A signal that nobody else listens to ends the process as it would have otherwise: by that
 * signal. Exit codes stay. What ends a process without JavaScript (`SIGKILL`, `process.abort()`, no memory) is not seen.
 *
 * @returns The call that takes the handlers out again; idempotent.
 * @throws InvalidConfigError for an unknown option, a signal that does not end a process, or signals on a worker thread.
 * @example
 * const uninstall = installExitHandlers({ signals: ['SIGTERM'], uncaughtException: true })
 */
export function installExitHandlers(options: ExitHandlersOptions = {}): () => void {
  const { signals, uncaughtException } = checkOptions(options)
  const removals = [keepFirst('exit', wipeAtNestedExit), keepLast('exit', () => void purge())]
  const uninstall = (): void => {
    for (const remove of removals.splice(0)) remove()
  }
  for (const signal of signals) {
    const end = (): void => {
      if (othersListen(signal)) return
      purge()
      uninstall() // now the signal does again what it does by default
      process.kill(process.pid, signal)
    }
    removals.push(keepFirst(signal, end))
  }
  if (uncaughtException) removals.push(wipeAtUncaughtException())
  return uninstall
}

/** A `process.exit` in an `exit` listener ends the process there: the listeners after it, and so our last one, never run. */
function wipeAtNestedExit(): void {
  const exit = process.exit
  process.exit = (code): never => {
    purge()
    return exit.call(process, code)
  }
}

function wipeAtUncaughtException(): () => void {
  const wipe = mark(() => {
    const handled = othersListen('uncaughtException') || process.hasUncaughtExceptionCaptureCallback()
    if (!handled) purge()
  })
  process.on('uncaughtExceptionMonitor', wipe)
  return () => process.off('uncaughtExceptionMonitor', wipe)
}

function checkOptions(options: ExitHandlersOptions): Required<ExitHandlersOptions> {
  checkKnownOptions('installExitHandlers', options, ['signals', 'uncaughtException'])
  const { signals = isMainThread ? DEFAULT_SIGNALS : [], uncaughtException = true } = options
  if (typeof uncaughtException !== 'boolean') throw new InvalidConfigError('uncaughtException must be true or false')
  if (!Array.isArray(signals)) throw new InvalidConfigError('signals must be a list of names such as SIGTERM')
  for (const signal of signals) {
    if (EXIT_SIGNALS.includes(signal)) continue
    const nearest = nearestName(String(signal), EXIT_SIGNALS)
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`
    throw new InvalidConfigError(`signals takes ${EXIT_SIGNALS.join(', ')}, and not ${String(signal)}${hint}`)
  }
  if (signals.length > 0 && !isMainThread) {
    throw new InvalidConfigError('signals must be empty on a worker thread, which gets no signals')
  }
  return { signals: [...new Set(signals)], uncaughtException }
}
