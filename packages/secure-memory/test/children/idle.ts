// Holds random keys, tells them in a masked form, and waits: their plain bytes are only where the memory keeps them.
// Usage: node idle.ts KIND; then a line `make`, `use`, `inside` or `close` on the standard input.
import { createInterface } from 'node:readline'
import { createHeapSecrets, type Secret, type SecretFactory } from '@asherah/core/backend'
import { createEnclaveMemory, createProtectedMemory } from '@asherah/secure-memory'
import { MASK } from '../support/mask.ts'

const [kind = ''] = process.argv.slice(2)

function createFactory(): SecretFactory {
  if (kind === 'enclave') return createEnclaveMemory({ rekeyAfterUses: 3 })
  if (kind === 'enclave, writable views') return createEnclaveMemory({ writableViews: true })
  return kind === 'protected' ? createProtectedMemory() : createHeapSecrets()
}

/** Byte by byte, so that no copy of the plain bytes is made. */
function masked(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += (byte ^ MASK).toString(16).padStart(2, '0')
  return text
}

function fromBytes(factory: SecretFactory): Secret {
  const bytes = new Uint8Array(40)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(Math.random() * 256)
  return factory.fromBytes(bytes)
}

async function main(): Promise<void> {
  const factory = createFactory()
  let secrets: Secret[] = []
  let leave = (): void => {}
  for await (const line of createInterface({ input: process.stdin })) {
    let answer = 'ok'
    if (line === 'make') {
      secrets = [factory.createRandom(32), factory.createRandom(5_000), fromBytes(factory)]
      answer = JSON.stringify(secrets.map((secret) => secret.withBytes(masked)))
    }
    if (line === 'use') {
      for (const secret of secrets) {
        for (let i = 0; i < 10; i++)
          secret.withBytes((bytes) => secret.withBytes((again) => masked(again) + masked(bytes)))
        await secret.withBytesAsync(async (bytes) => masked(bytes))
        try {
          secret.withBytes(() => {
            throw new Error('an action that fails')
          })
        } catch {
          // what it leaves behind is the question
        }
      }
    }
    if (line === 'inside') {
      // Answers from within an action, which ends at the next line.
      void secrets[0]?.withBytesAsync(() => new Promise<void>((resolve) => (leave = resolve)))
    }
    if (line === 'outside') leave()
    if (line === 'close') {
      for (const secret of secrets) secret.close()
    }
    console.log(answer)
  }
}

void main()
