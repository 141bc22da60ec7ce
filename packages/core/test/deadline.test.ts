import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { checkNotAborted, DeadlineError, withDeadline } from '../src/backend.ts'
import { AbortedError } from '../src/index.ts'
import { createDeferred } from './fakes.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('withDeadline', () => {
  test('gives what the work gives, and leaves no timer and no listener', async () => {
    const { signal } = new AbortController()
    const removed = vi.spyOn(signal, 'removeEventListener')
    await expect(withDeadline(1_000, signal, async () => 7)).resolves.toBe(7)
    expect(vi.getTimerCount()).toBe(0)
    expect(removed).toHaveBeenCalledOnce()
    await expect(withDeadline(1_000, undefined, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('rejects at the deadline though the work goes on, and discards what comes late', async () => {
    const late = createDeferred<Uint8Array>()
    const seen: (AbortSignal | Uint8Array)[] = []
    const run = withDeadline(
      1_000,
      undefined,
      (signal) => {
        seen.push(signal)
        return late.promise
      },
      (bytes) => seen.push(bytes.fill(0)),
    )
    const failed = expect(run).rejects.toBeInstanceOf(DeadlineError)
    await vi.advanceTimersByTimeAsync(1_000)
    await failed
    expect(seen[0]).toMatchObject({ aborted: true, reason: expect.any(DeadlineError) })
    late.resolve(new Uint8Array([1, 2]))
    await vi.advanceTimersByTimeAsync(0)
    expect(seen[1]).toEqual(new Uint8Array(2))
  })

  test('a caller that aborts, before or during, is heard at once', async () => {
    const reason = new Error('gone')
    const forever = () => new Promise<never>(() => {})
    await expect(withDeadline(1_000, AbortSignal.abort(reason), forever)).rejects.toBe(reason)
    const controller = new AbortController()
    const failed = expect(withDeadline(1_000, controller.signal, forever)).rejects.toBe(reason)
    controller.abort(reason)
    await failed
    expect(vi.getTimerCount()).toBe(0)
  })

  test('work that throws at once leaves no timer', async () => {
    const run = withDeadline(1_000, undefined, () => {
      throw new Error('at once')
    })
    await expect(run).rejects.toThrow('at once')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('work that fails after the deadline is no unhandled rejection', async () => {
    const late = createDeferred<never>()
    const failed = expect(withDeadline(5, undefined, () => late.promise)).rejects.toBeInstanceOf(DeadlineError)
    await vi.advanceTimersByTimeAsync(5)
    await failed
    late.reject(new Error('late'))
    await vi.advanceTimersByTimeAsync(0)
  })
})

test('checkNotAborted throws the typed error, with the reason as its cause', () => {
  checkNotAborted(undefined)
  checkNotAborted(new AbortController().signal)
  const reason = new Error('gone')
  expect(() => checkNotAborted(AbortSignal.abort(reason))).toThrow(
    expect.objectContaining({ code: new AbortedError('x').code, cause: reason }),
  )
})
