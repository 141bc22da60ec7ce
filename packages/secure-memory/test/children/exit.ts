// Ends in the way that its argument says, and prints in which order its handlers and the wipe came.
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import {
  createEnclaveMemory,
  createProtectedMemory,
  type ExitSignal,
  installExitHandlers,
} from '@asherah/secure-memory'

const [scenario = ''] = process.argv.slice(2)

function say(text: string): void {
  writeSync(1, `${text}\n`)
}

const enclave = createEnclaveMemory()
const secrets = [enclave.createRandom(32), createProtectedMemory().createRandom(32)]
subscribe('asherah:secure-memory', (message) => {
  if (typeof message === 'object' && message !== null && 'event' in message && message.event === 'purged') say('purged')
})

/** `usable` while every secret is. */
function state(): string {
  return secrets.every((secret) => !secret.closed && secret.withBytes((bytes) => bytes.byteLength) === 32)
    ? 'usable'
    : secrets.map((secret) => (secret.closed ? 'closed' : 'open')).join()
}

function waitForSignal(): void {
  setInterval(() => {}, 1_000)
  say('ready')
}

const signals: readonly ExitSignal[] = ['SIGTERM', 'SIGHUP', 'SIGINT']
const scenarios: Readonly<Record<string, () => void>> = {
  'no handlers installed'() {
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    process.exitCode = 3
  },
  'signal alone'() {
    installExitHandlers({ signals })
    waitForSignal()
  },
  'two installs'() {
    installExitHandlers({ signals })
    installExitHandlers({ signals })
    waitForSignal()
  },
  uninstalled() {
    const before = process.eventNames().map((name) => [name, process.listenerCount(name)])
    const uninstall = installExitHandlers({ signals })
    process.once('SIGTERM', () => {})
    process.removeAllListeners('SIGTERM')
    uninstall()
    uninstall()
    const after = process.eventNames().map((name) => [name, process.listenerCount(name)])
    say(JSON.stringify(before) === JSON.stringify(after) ? 'as before' : `not as before: ${JSON.stringify(after)}`)
    waitForSignal()
  },
  'handler exits'() {
    process.on('SIGTERM', () => say(`first ${state()}`))
    installExitHandlers({ signals })
    process.on('SIGTERM', () => {
      say(`second ${state()}`)
      process.exit(7)
    })
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    waitForSignal()
  },
  'handler shuts down slowly'() {
    process.once('SIGTERM', () => {
      say(`once ${state()}`)
      setTimeout(() => {
        say(`later ${state()}`)
        process.exitCode = 5
        process.exit()
      }, 50)
    })
    installExitHandlers({ signals })
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    waitForSignal()
  },
  'prepended once handler'() {
    installExitHandlers({ signals })
    process.prependOnceListener('SIGTERM', () => {
      say(`once ${state()}`)
      setTimeout(() => process.exit(6), 50)
    })
    waitForSignal()
  },
  'handler goes on'() {
    installExitHandlers({ signals })
    process.on('SIGHUP', () => {
      say(`reload ${state()}`)
      setTimeout(() => process.exit(0), 50)
    })
    process.on('exit', () => say(`exit ${state()}`))
    waitForSignal()
  },
  'exit in an exit hook'() {
    installExitHandlers({ signals })
    process.on('exit', (code) => {
      say(`hook ${code} ${state()}`)
      process.exit(9)
    })
    process.on('exit', () => say('never'))
    setImmediate(() => process.exit(4))
  },
  'natural end'() {
    installExitHandlers()
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    process.exitCode = 3
  },
  'uncaught exception'() {
    installExitHandlers({ uncaughtException: true })
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    setTimeout(() => {
      throw new Error('nobody catches this')
    }, 5)
  },
  'uncaught exception, off'() {
    installExitHandlers({ uncaughtException: false })
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    setTimeout(() => {
      throw new Error('nobody catches this')
    }, 5)
  },
  'unhandled rejection'() {
    installExitHandlers()
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    void Promise.reject(new Error('nobody catches this'))
  },
  'handled exception'() {
    installExitHandlers()
    process.on('uncaughtException', (error) => say(`handled ${error.message} ${state()}`))
    process.on('exit', (code) => say(`exit ${code} ${state()}`))
    setTimeout(() => {
      throw new Error('mine')
    }, 5)
  },
}

scenarios[scenario]?.()
