/** Why a signal of {@link withDeadline} was aborted. */
export class DeadlineError extends Error {
  override readonly name = 'TimeoutError'
}

/**
 * Runs `work` with a signal that is aborted at the deadline (its reason is a {@link DeadlineError}) or with `outer`, and
 * settles then, whatever `work` does about it.
 *
 * @param discard Gets what `work` gives after that, to wipe it.
 */
export function withDeadline<T>(
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  discard?: (late: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController()
    const { signal } = controller
    const passOn = (): void => controller.abort(outer?.reason)
    const timer = setTimeout(() => controller.abort(new DeadlineError(`no answer in ${ms} ms`)), ms)
    let settled = false
    const settle = (end: () => void): boolean => {
      if (settled) return false
      settled = true
      clearTimeout(timer)
      outer?.removeEventListener('abort', passOn)
      end()
      return true
    }
    signal.addEventListener('abort', () => settle(() => reject(signal.reason)), { once: true })
    outer?.addEventListener('abort', passOn, { once: true })
    if (outer?.aborted === true) passOn()
    const begin = async (): Promise<T> => work(signal) // so that a throw is a rejection
    begin().then(
      (value) => {
        if (!settle(() => resolve(value))) discard?.(value)
      },
      // A late failure is nobody's: the deadline was the answer.
      (error: unknown) => settle(() => reject(error)),
    )
  })
}
