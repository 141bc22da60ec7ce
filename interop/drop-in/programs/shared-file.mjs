// One side of an exchange over an SQLite file: reads commands as JSON lines, answers likewise.
import { createInterface } from 'node:readline'
import { decryptStringAsync, encryptString, setup, shutdownAsync } from 'asherah'

setup(JSON.parse(process.env.DROP_IN_CONFIG ?? '{}'))
for await (const line of createInterface({ input: process.stdin })) {
  const { partition, text, record } = JSON.parse(line)
  const answer = record === undefined ? encryptString(partition, text) : await decryptStringAsync(partition, record)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await shutdownAsync()
