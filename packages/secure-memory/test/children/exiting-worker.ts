// A worker thread that installs exit handlers and ends.
import { subscribe } from 'node:diagnostics_channel'
import { parentPort } from 'node:worker_threads'
import { AsherahError } from '@asherah/core/backend'
import { createEnclaveMemory, installExitHandlers } from '@asherah/secure-memory'

const secret = createEnclaveMemory().createRandom(32)
try {
  installExitHandlers({ signals: ['SIGTERM'] })
} catch (error) {
  parentPort?.postMessage(error instanceof AsherahError ? error.code : 'another error')
}
installExitHandlers()
subscribe('asherah:secure-memory', (message) => {
  if (typeof message === 'object' && message !== null && 'event' in message) parentPort?.postMessage(message.event)
})
process.on('exit', () => parentPort?.postMessage(secret.closed ? 'closed' : 'usable'))
