import type { EventEmitter } from 'node:events'

type Listener = (...args: unknown[]) => void

/** Marks the listeners of every copy of this package: where only they listen, a process ends as if nobody did. */
const OURS: symbol = Symbol.for('asherah.exitHandler')

/** Events are any text here; the types of `process` know some. */
const events: EventEmitter = process

/** Marks a listener as one of this package. */
export function mark<T extends Listener>(listener: T): T {
  return Object.assign(listener, { [OURS]: true })
}

function isOurs(listener: unknown): boolean {
  return typeof listener === 'function' && OURS in listener
}

/** True when the program itself listens. */
export function othersListen(event: string): boolean {
  return events.rawListeners(event).some((listener) => !isOurs(listener))
}

/**
 * Listens before everybody else, so that `once` listeners of the program are still to be seen.
 *
 * @returns The call that takes the listener out.
 */
export function keepFirst(event: string, listener: Listener): () => void {
  const isFirst = (): boolean => isOurs(events.rawListeners(event)[0])
  return keep(event, mark(listener), isFirst, (l) => events.prependListener(event, l))
}

/** Listens after everybody else, so that the program's own listeners can still use secrets. */
export function keepLast(event: string, listener: Listener): () => void {
  const isLast = (): boolean => isOurs(events.rawListeners(event).at(-1))
  return keep(event, mark(listener), isLast, (l) => events.on(event, l))
}

function keep(event: string, listener: Listener, inPlace: () => boolean, add: (l: Listener) => void): () => void {
  const watch = mark((added: unknown, other: unknown) => {
    if (added === event && !isOurs(other)) queueMicrotask(move) // it is added after this
  })
  let installed = true
  function move(): void {
    if (!installed || inPlace()) return
    events.off(event, listener)
    add(listener)
  }
  add(listener)
  events.on('newListener', watch)
  return () => {
    installed = false
    events.off('newListener', watch)
    events.off(event, listener)
  }
}
