import { createHash, randomBytes } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createHeapSecrets } from '@asherah/core/backend'
import {
  createEnclaveMemory,
  createProtectedMemory,
  createSecretStream,
  purge,
  type SecretStream,
  secureMemoryStats,
} from '@asherah/secure-memory'
import { afterEach, describe, expect, test } from 'vitest'

const streams: SecretStream[] = []

function create(...args: Parameters<typeof createSecretStream>): SecretStream {
  const stream = createSecretStream(...args)
  streams.push(stream)
  return stream
}

afterEach(() => {
  for (const stream of streams.splice(0)) stream.close()
  expect(secureMemoryStats()).toMatchObject({ inUse: 0, lockedBytes: 0 })
})

async function readAll(readable: Readable): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of readable) parts.push(part)
  return Buffer.concat(parts)
}

/** Writes all, then ends. */
async function write(stream: SecretStream, ...chunks: (Uint8Array | string)[]): Promise<void> {
  await pipeline(Readable.from(chunks), stream.writable)
}

describe('a secret stream', () => {
  test('D-145 gives back what was written, in order, however it is cut', async () => {
    for (const sizes of [
      [0],
      [1],
      [5, 0, 7],
      [65_536],
      [65_537, 1, 200_000],
      Array.from({ length: 300 }, (_, i) => i),
    ]) {
      const stream = create()
      const chunks = sizes.map((size) => randomBytes(size))
      await write(stream, ...chunks.filter((chunk) => chunk.byteLength > 0))
      expect(stream.byteLength).toBe(Buffer.concat(chunks).byteLength)
      expect(Buffer.compare(await readAll(stream.readable), Buffer.concat(chunks))).toBe(0)
      expect(stream.byteLength).toBe(0)
      expect(stream.closed, 'read to the end').toBe(true)
    }
  })

  test('D-145 30 MB at once take no more locked memory than nothing', async () => {
    const secrets = createEnclaveMemory()
    const stream = create({ secrets })
    const before = secureMemoryStats().lockedBytes
    const written = createHash('sha256')
    const chunk = randomBytes(300_000)
    for (let i = 0; i < 100; i++) {
      chunk.writeUInt32BE(i)
      written.update(chunk)
      stream.writable.write(Buffer.from(chunk))
    }
    stream.writable.end()
    await new Promise((resolve) => stream.writable.on('finish', resolve))
    expect(stream.byteLength).toBe(30_000_000)
    expect(secureMemoryStats().lockedBytes).toBe(before)
    const read = createHash('sha256')
    await pipeline(stream.readable, read)
    expect(read.digest('hex')).toBe(written.digest('hex'))
    expect(secureMemoryStats().lockedBytesHighWater).toBeLessThanOrEqual(before + 16_384)
    secrets.close()
  })

  test('a reader that waits gets each chunk as it is written', async () => {
    const stream = create()
    const reading = readAll(stream.readable)
    for (const text of ['one ', 'two ', 'three']) {
      stream.writable.write(text)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    stream.writable.end()
    expect((await reading).toString()).toBe('one two three')
  })

  test('events, pipe and read() work as with any stream', async () => {
    const stream = create({ secrets: createHeapSecrets() })
    stream.writable.end('some text', 'latin1')
    const seen: string[] = []
    stream.readable.pipe(new PassThrough()).on('data', (part: Buffer) => seen.push(part.toString()))
    await new Promise((resolve) => stream.readable.on('end', resolve))
    await new Promise((resolve) => setImmediate(resolve))
    expect(seen.join('')).toBe('some text')
  })

  test('nothing is decrypted before it is read', async () => {
    const stream = create()
    await write(stream, 'held')
    await new Promise((resolve) => setTimeout(resolve, 2))
    expect(stream.byteLength).toBe(4)
    expect(stream.readable.readableLength).toBe(0)
  })

  test('maxBytes holds the writer back until the reader has made room', async () => {
    const stream = create({ maxBytes: 100 })
    let written = 0
    const writing = (async () => {
      for (let i = 0; i < 10; i++) {
        await new Promise<void>((resolve) => stream.writable.write(Buffer.alloc(60, i), () => resolve()))
        written += 1
      }
      stream.writable.end()
    })()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(written).toBe(1)
    expect(stream.byteLength).toBe(120)
    expect(await readAll(stream.readable)).toHaveLength(600)
    await writing
    expect(written).toBe(10)
  })

  test('wipeInput wipes what was written; by default it stays', async () => {
    for (const wipeInput of [true, false]) {
      const stream = create({ wipeInput })
      const chunk = Buffer.from('sensitive')
      await write(stream, chunk)
      expect(chunk.every((byte) => byte === 0)).toBe(wipeInput)
      expect((await readAll(stream.readable)).toString()).toBe('sensitive')
    }
  })

  test('close ends both sides, and nothing is readable any more', async () => {
    const stream = create()
    stream.writable.write('lost')
    const reading = readAll(stream.readable)
    stream.close()
    stream.close()
    await expect(reading).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
    expect(stream).toMatchObject({ closed: true, byteLength: 0 })
    expect(stream.writable.destroyed).toBe(true)
    const quiet = create() // nobody listens for errors
    quiet.writable.write('lost')
    quiet.close()
    expect(quiet.readable.destroyed).toBe(true)
  })

  test('a writer that fails ends the reader with its error', async () => {
    const stream = create()
    const reading = readAll(stream.readable)
    const source = new Readable({
      read() {
        this.destroy(new Error('the disk is gone'))
      },
    })
    await expect(pipeline(source, stream.writable)).rejects.toThrow('the disk is gone')
    await expect(reading).rejects.toThrow('the disk is gone')
    expect(stream.closed).toBe(true)
  })

  test('a reader that stops early closes the stream', async () => {
    const stream = create()
    await write(stream, randomBytes(70_000), randomBytes(70_000))
    for await (const part of stream.readable) {
      expect(part.byteLength).toBe(65_536)
      break
    }
    expect(stream.closed).toBe(true)
  })

  test('purge takes the key: writing and reading fail', async () => {
    const secrets = createProtectedMemory()
    const stream = create({ secrets })
    await write(stream, 'data')
    purge()
    secrets.close()
    await expect(readAll(stream.readable)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
    const second = create()
    purge()
    await expect(write(second, 'data')).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  })

  test('disposing is closing, and a factory that was given stays open', () => {
    const secrets = createEnclaveMemory()
    const stream = create({ secrets })
    stream[Symbol.dispose]()
    expect(stream.closed).toBe(true)
    expect(secrets.stats().inUse).toBe(0)
    expect(secrets.createRandom(1).closed).toBe(false)
    secrets.close()
  })
})
