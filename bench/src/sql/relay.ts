import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('./relay-child.ts', import.meta.url))

/** A server's address as seen from a network away, of 2 ms or a little more there and back. */
export interface Relay {
  readonly url: string
  stop(): void
}

/** Starts a process in front of the server of a URL, so that its delays take no time of this one. */
export async function startRelay(url: string): Promise<Relay> {
  const far = new URL(url)
  const child = fork(CHILD, [far.port])
  const [port]: unknown[] = await once(child, 'message')
  far.host = `127.0.0.1:${String(port)}`
  return { url: far.href, stop: () => child.disconnect() }
}
