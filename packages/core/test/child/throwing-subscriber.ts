// A child process whose subscribers and stores throw, on every channel.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import { AsherahError, channels } from '../../src/index.ts'
import { bytesOf, createWorld, settle, textOf } from '../fakes.ts'

let uncaught = 0
process.on('uncaughtException', (error) => {
  if (error.message !== 'the subscriber is broken') throw error
  uncaught += 1
})

const broken = (): never => {
  throw new Error('the subscriber is broken')
}
for (const { name } of [channels.cache, channels.key, channels.warning]) subscribe(name, broken)
for (const traced of Object.values(channels.trace)) {
  for (const { name } of [traced.start, traced.end, traced.asyncStart, traced.asyncEnd, traced.error]) {
    subscribe(name, broken)
  }
  traced.start.bindStore(new AsyncLocalStorage(), broken)
}

async function main(): Promise<void> {
  const session = createWorld({}, {}, { uniformErrors: true }).factory.getSession('p')
  const results: string[] = []
  const roundTrip = async (): Promise<void> => {
    const text = textOf(await session.decrypt(await session.encrypt(bytesOf('x'))))
    results.push(text === 'x' ? 'ok' : 'wrong')
  }
  await roundTrip()
  try {
    await session.decrypt('no record')
  } catch (error) {
    results.push(error instanceof AsherahError ? error.code : 'untyped')
  }
  await roundTrip()
  await settle()
  console.log(JSON.stringify({ results, uncaught }))
}

void main()
