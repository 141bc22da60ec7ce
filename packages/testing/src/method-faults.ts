import { setTimeout as sleep } from 'node:timers/promises'
import { AbortedError, type Call, checkKnownOptions, InvalidInputError } from '@asherah/core/backend'

/** Which calls of a method a fault hits: every one, unless this says otherwise. */
export interface FaultSelector {
  /** From the nth matching call on, counted from when the fault was set; default 1. */
  readonly nth?: number
  /** How many calls it hits; default 1 when `nth` is given, else all. */
  readonly times?: number
  /** Only calls whose arguments this accepts. */
  when?(...args: readonly unknown[]): boolean
}

/** A selector, and what the call throws. */
export interface FailureOptions extends FaultSelector {
  /** Default an ordinary `Error` that says `injected`. */
  readonly error?: unknown
}

/** Calls that are being held. */
export interface Hold {
  /** Settles when the first call has arrived. */
  readonly reached: Promise<void>
  /** Lets the calls that wait go on, and later ones pass. */
  release(): void
}

/** The faults of one method. A call meets those that hit it in the order in which they were set. */
export interface MethodFaults<Answer> {
  /** Calls so far, the failed ones too. */
  readonly calls: number
  /** The call throws, and is not made. */
  fail(options?: FailureOptions): void
  /** The call is made, and throws then: its caller does not learn the answer. */
  loseAnswer(options?: FailureOptions): void
  /** The call is made `ms` milliseconds of real time later. Its signal ends the wait. */
  delay(ms: number, options?: FaultSelector): void
  /** The call waits until it is released. Its signal ends the wait. */
  hold(options?: FaultSelector): Hold
  /** The call is made, and its answer altered. */
  corrupt(alter: (answer: Answer) => Answer, options?: FaultSelector): void
  /** Takes the faults back, releases what is held, and counts from 0. */
  reset(): void
}

/** The wrapper's side. */
export interface MethodRunner<Answer> extends MethodFaults<Answer> {
  run(args: readonly unknown[], call: Call | undefined, work: () => Promise<Answer>): Promise<Answer>
  /** For a method that answers piece by piece: counts and waits or throws now, and gives back what alters each piece. */
  start(args: readonly unknown[], call: Call | undefined): Promise<(answer: Answer) => Answer>
}

interface Rule<Answer> {
  hits(args: readonly unknown[]): boolean
  before?(call: Call | undefined): Promise<void>
  after?(answer: Answer): Answer
  drop?(): void
}

/** Makes the faults of one method. */
export function createMethodFaults<Answer>(method: string): MethodRunner<Answer> {
  let rules: Rule<Answer>[] = []
  let calls = 0

  const failure = (options: FailureOptions, text: string): unknown =>
    'error' in options ? options.error : new Error(text)
  const start = async (args: readonly unknown[], call: Call | undefined): Promise<(answer: Answer) => Answer> => {
    calls += 1
    const hit = rules.filter((rule) => rule.hits(args))
    for (const rule of hit) await rule.before?.(call)
    return (answer) => hit.reduce((altered, rule) => (rule.after === undefined ? altered : rule.after(altered)), answer)
  }

  return {
    get calls() {
      return calls
    },
    fail(options = {}) {
      const error = failure(options, `injected: ${method} failed`)
      rules.push({ hits: selector(options), before: () => Promise.reject(error) })
    },
    loseAnswer(options = {}) {
      const error = failure(options, `injected: the answer of ${method} is lost`)
      const after = (): Answer => {
        throw error
      }
      rules.push({ hits: selector(options), after })
    },
    delay(ms, options = {}) {
      rules.push({
        hits: selector(options),
        before: (call) => unlessAborted(call, (signal) => sleep(ms, undefined, { signal })),
      })
    },
    hold(options = {}) {
      const gate = deferred()
      const reached = deferred()
      const before = (call: Call | undefined): Promise<void> => {
        reached.resolve()
        return unlessAborted(call, () => gate.promise)
      }
      rules.push({ hits: selector(options), before, drop: gate.resolve })
      return { reached: reached.promise, release: gate.resolve }
    },
    corrupt(alter, options = {}) {
      rules.push({ hits: selector(options), after: alter })
    },
    reset() {
      for (const rule of rules) rule.drop?.()
      rules = []
      calls = 0
    },
    start,
    async run(args, call, work) {
      const alter = await start(args, call)
      return alter(await work())
    },
  }
}

function selector(options: FaultSelector): (args: readonly unknown[]) => boolean {
  checkKnownOptions('a fault', options, ['nth', 'times', 'when', 'error'])
  const { nth = 1, times = options.nth === undefined ? Number.POSITIVE_INFINITY : 1 } = options
  if (!Number.isSafeInteger(nth) || nth < 1) throw new InvalidInputError('nth must be a whole number, 1 or more')
  if (!(times >= 1)) throw new InvalidInputError('times must be 1 or more')
  let seen = 0
  return (args) => {
    if (options.when?.(...args) === false) return false
    seen += 1
    return seen >= nth && seen < nth + times
  }
}

async function unlessAborted(call: Call | undefined, wait: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const signal = call?.signal ?? new AbortController().signal
  const aborted = deferred()
  signal.addEventListener('abort', aborted.resolve, { once: true })
  try {
    if (!signal.aborted) await Promise.race([wait(signal).catch(() => {}), aborted.promise])
  } finally {
    signal.removeEventListener('abort', aborted.resolve)
  }
  if (signal.aborted) throw new AbortedError('the call was aborted while a fault delayed it', { cause: signal.reason })
}

/** `Promise.withResolvers` is not in Node 20. */
function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve: () => resolve() }
}
