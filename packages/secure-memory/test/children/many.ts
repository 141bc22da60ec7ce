// Asks for more page sets than the process may have mappings, and prints where it was refused.
import { AsherahError, type Secret } from '@asherah/core/backend'
import { createProtectedMemory } from '@asherah/secure-memory'

const factories = [createProtectedMemory(), createProtectedMemory()]
const secrets: Secret[] = []
let error: { code: string; message: string } | undefined
while (error === undefined && secrets.length < 100_000) {
  try {
    const factory = factories[secrets.length % 2]
    if (factory !== undefined) secrets.push(factory.fromBytes(new Uint8Array(32).fill(secrets.length % 251)))
  } catch (caught) {
    if (!(caught instanceof AsherahError)) throw caught
    error = { code: caught.code, message: caught.message }
  }
}
const right = secrets.every((secret, i) => secret.withBytes((bytes) => bytes.every((byte) => byte === i % 251)))
const made = secrets.length
for (const factory of factories) factory.close()
// Freed ones are unmapped later: in the same turn there is room for as many again, or a refusal, and no abort.
const again = createProtectedMemory()
let second = 0
try {
  while (second < made) {
    again.createRandom(32)
    second += 1
  }
} catch (caught) {
  if (!(caught instanceof AsherahError)) throw caught
}
again.close()
console.log(JSON.stringify({ made, right, error, second }))
