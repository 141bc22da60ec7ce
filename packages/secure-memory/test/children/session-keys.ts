// Works with sessions over a kind of memory, tells the keys that they had there in a masked form, and waits.
// Usage: node --expose-gc session-keys.ts KIND
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { SessionFactory } from '@asherah/core'
import { createHeapSecrets, type Secret, type SecretFactory } from '@asherah/core/backend'
import { createEnclaveMemory } from '@asherah/secure-memory'
import { createMapMetastore, createTestKms } from '../support/fakes.ts'
import { MASK } from '../support/mask.ts'

const told: string[] = []

/** Notes a key byte by byte, so that no copy of the plain bytes is made. */
function note(secret: Secret): Secret {
  secret.withBytes((bytes) => {
    let text = ''
    for (const byte of bytes) text += (byte ^ MASK).toString(16).padStart(2, '0')
    told.push(text)
  })
  return secret
}

const inner = process.argv[2] === 'enclave' ? createEnclaveMemory() : createHeapSecrets()
const secrets: SecretFactory = {
  fromBytes: (bytes) => note(inner.fromBytes(bytes)),
  createRandom: (length) => note(inner.createRandom(length)),
  close: () => inner.close(),
}
const metastore = createMapMetastore()
const options = { service: 'service', product: 'product', metastore, kms: createTestKms(), secrets }
const collect: unknown = Reflect.get(globalThis, 'gc')

async function work(): Promise<void> {
  const first = new SessionFactory(options)
  const record = await first.getSession('partition').encrypt(new Uint8Array(100))
  await first.close()
  const session = new SessionFactory(options).getSession('partition') // loads the keys that the first one made
  for (let i = 0; i < 500; i++) await session.decrypt(await session.encrypt(new Uint8Array(100)))
  await session.decrypt(record)
}

await work()
for await (const _line of createInterface({ input: process.stdin })) {
  if (typeof collect !== 'function') throw new Error('run with --expose-gc')
  for (let i = 0; i < 5; i++) {
    collect() // OpenSSL's copies of keys are wiped when their objects are collected
    await sleep(10)
  }
  console.log(JSON.stringify(told))
}
