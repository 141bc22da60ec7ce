import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { InvalidConfigError } from '@asherah/core/backend'
import { processLimit, readSystemFile } from './internal/system.ts'

/**
 * - `core-dumps`: keeps this process's memory out of core dumps.
 * - `debugger`: `core-dumps`, and the signal `SIGUSR1` no longer opens Node's inspector.
 */
export type HardenLevel = 'core-dumps' | 'debugger'

/** One measure of {@link hardenProcess}. */
export interface HardenMeasure {
  readonly measure: 'core-limit' | 'core-filter' | 'not-dumpable' | 'inspector-signal'
  /** True: in force now, and read back where the system tells. */
  readonly set: boolean
  /** What was done, or why it could not be and what else to do. */
  readonly message: string
}

/** What {@link hardenProcess} did. */
export interface HardenReport {
  readonly level: HardenLevel
  readonly measures: readonly HardenMeasure[]
}

const LEVELS: readonly HardenLevel[] = ['core-dumps', 'debugger']
const PRLIMIT: readonly string[] = ['/usr/bin/prlimit', '/bin/prlimit']
const CORE_FILTER = '/proc/self/coredump_filter'
const CORE_LIMIT = 'Max core file size'

/**
 * Changes the whole process, and the children that it starts from now on; nothing else in this package does.
 *
 * JavaScript cannot call `setrlimit` or `prctl`. On Linux the soft core limit is lowered by util-linux's `prlimit`, and
 * the hard one stays, so that it can be raised again; the core filter is a file. Elsewhere these are reported as not set.
 *
 * @returns What was set and what could not be. Not being able to set something is no error.
 * @throws InvalidConfigError for an unknown level.
 * @example
 * for (const { set, message } of hardenProcess('core-dumps').measures) console.log(set ? 'set' : 'not set', message)
 */
export function hardenProcess(level: HardenLevel): HardenReport {
  if (!LEVELS.includes(level)) throw new InvalidConfigError(`level must be one of ${LEVELS.join(', ')}`)
  const measures = [limitCores(), filterCores(), notDumpable()]
  if (level === 'debugger') measures.push(ignoreInspectorSignal())
  return { level, measures }
}

/** The soft limit only: a hard limit that was lowered cannot be raised again (D-140). */
function limitCores(): HardenMeasure {
  const done = (set: boolean, message: string): HardenMeasure => ({ measure: 'core-limit', set, message })
  if (processLimit(CORE_LIMIT) === undefined) {
    return done(false, 'the core limit can be set on Linux only: set it where the process is started')
  }
  if (processLimit(CORE_LIMIT)?.soft !== 0) {
    const prlimit = PRLIMIT.find((path) => existsSync(path))
    if (prlimit === undefined) {
      return done(
        false,
        'there is no prlimit (util-linux): start with `ulimit -Sc 0` or `LimitCORE=0` of the systemd unit',
      )
    }
    try {
      execFileSync(prlimit, ['--pid', String(process.pid), '--core=0:'], { stdio: 'ignore', timeout: 5_000 })
    } catch {
      return done(false, 'prlimit failed: start with `ulimit -Sc 0` or `LimitCORE=0` of the systemd unit')
    }
  }
  return processLimit(CORE_LIMIT)?.soft === 0
    ? done(
        true,
        'the soft core limit is 0, and the hard one is as it was; a core pattern that is a pipe ignores the limit',
      )
    : done(false, 'prlimit did not change the core limit')
}

/** Also for dumps that go to a pipe, such as systemd-coredump's, and for gcore. */
function filterCores(): HardenMeasure {
  const done = (set: boolean, message: string): HardenMeasure => ({ measure: 'core-filter', set, message })
  if (readSystemFile(CORE_FILTER) === undefined) return done(false, 'the core filter is a file of Linux only')
  try {
    writeFileSync(CORE_FILTER, '0')
  } catch {
    return done(false, `${CORE_FILTER} may not be written`)
  }
  return Number.parseInt(readSystemFile(CORE_FILTER) ?? '', 16) === 0
    ? done(true, 'core dumps leave all memory out')
    : done(false, 'the core filter did not change')
}

function notDumpable(): HardenMeasure {
  return {
    measure: 'not-dumpable',
    set: false,
    message:
      'JavaScript cannot call prctl(PR_SET_DUMPABLE): processes of the same user can read this one unless ' +
      '/proc/sys/kernel/yama/ptrace_scope forbids it',
  }
}

function ignoreInspectorSignal(): HardenMeasure {
  const done = (set: boolean, message: string): HardenMeasure => ({ measure: 'inspector-signal', set, message })
  if (process.platform === 'win32') return done(false, 'Windows has no SIGUSR1')
  if (!isMainThread) return done(false, 'a worker thread gets no signals: call this on the main thread')
  if (!process.listeners('SIGUSR1').includes(ignoreSignal)) process.on('SIGUSR1', ignoreSignal)
  return done(true, 'SIGUSR1 no longer opens the inspector; one that is open already stays open')
}

function ignoreSignal(): void {}
