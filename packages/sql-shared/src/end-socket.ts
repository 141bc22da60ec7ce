import type { Socket } from 'node:net'

/** How long a server may take to answer a goodbye, in milliseconds. */
const GOODBYE_MS = 1_000

/**
 * Ends the socket of a connection, whatever its driver waits for: a server that froze never ends its side, and the socket
 * would keep the process alive.
 *
 * @param now Without the time in which the driver says goodbye.
 */
export function endSocket(socket: Socket, now: boolean): void {
  if (now || socket.destroyed) {
    socket.destroy()
    return
  }
  const timer = setTimeout(() => socket.destroy(), GOODBYE_MS)
  socket.once('close', () => clearTimeout(timer))
}
