import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFileDecryptor, createFileEncryptor, createRecordEncryptor } from '../../src/formats/file.ts'
import { encodeFrame } from '../../src/formats/file-frame.ts'
import { fakeCipher, runCodec } from '../fake-cipher.ts'

const whose = { cipher: fakeCipher, partition: 'p' }
const decryptor = createFileDecryptor(whose)

async function encrypt(data: Uint8Array | string, chunkBytes = 10, pieces = [7]): Promise<string> {
  return (await runCodec(createFileEncryptor({ ...whose, chunkBytes }), data, { pieces })).output.toString()
}

async function decrypt(text: string | Uint8Array, pieces = [11]): Promise<Buffer> {
  return (await runCodec(decryptor, text, { pieces })).output
}

test('any bytes come back, whatever the chunk size and however they arrive', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 100 }),
      fc.integer({ min: 1, max: 40 }),
      sizes,
      async (data, chunk, pieces) => {
        const encrypted = await encrypt(data, chunk, pieces)
        expect((await decrypt(encrypted, pieces)).equals(data)).toBe(true)
        const lines = encrypted.trimEnd().split('\n')
        expect(lines).toHaveLength(1 + Math.max(1, Math.ceil(data.length / chunk)))
        expect(lines.every((line) => typeof JSON.parse(line) === 'object')).toBe(true)
      },
    ),
  )
})

test('D-094: an empty file is one empty chunk', async () => {
  const encrypted = await encrypt('')
  expect(encrypted.trimEnd().split('\n')).toHaveLength(2)
  expect(await decrypt(encrypted)).toHaveLength(0)
})

test('a run that goes on from any position but the last gives what is missing', async () => {
  const data = Buffer.from('0123456789'.repeat(4))
  for (const length of [0, 5, 10, 11, 40]) {
    const codec = createFileEncryptor({ ...whose, chunkBytes: 10 })
    const whole = await runCodec(codec, data.subarray(0, length))
    for (const { position } of whole.batches.slice(0, -1)) {
      const rest = await runCodec(codec, data.subarray(0, length), { from: position })
      const joined = Buffer.concat([whole.output.subarray(0, position.output), rest.output])
      expect(joined.equals(whole.output)).toBe(true)
    }
    const back = await runCodec(decryptor, whole.output)
    for (const { position } of back.batches.slice(0, -1)) {
      const rest = await runCodec(decryptor, whole.output, { from: position })
      expect(Buffer.concat([back.output.subarray(0, position.output), rest.output]).equals(back.output)).toBe(true)
    }
  }
})

describe('an altered file is found out', () => {
  const data = 'abcdefghij'.repeat(3)

  test('any line left out, moved or repeated', async () => {
    const lines = (await encrypt(data)).trimEnd().split('\n')
    const header = lines[0] ?? ''
    const chunks = lines.slice(1)
    const orders = fc.array(fc.nat({ max: chunks.length - 1 }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(orders, async (order) => {
        fc.pre(order.join() !== '0,1,2')
        const text = [header, ...order.map((index) => chunks[index])].map((line) => `${line}\n`).join('')
        await expect(decrypt(text)).rejects.toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT' })
      }),
    )
  })

  test('cut off at any byte', async () => {
    const encrypted = await encrypt(data)
    // The last byte is a line feed: without it the last chunk is still whole.
    for (let length = 0; length < encrypted.length - 1; length += 3) {
      await expect(decrypt(encrypted.slice(0, length))).rejects.toThrow()
    }
    expect((await decrypt(encrypted.slice(0, -1))).toString()).toBe(data)
  })

  test('cut off in the middle of a chunk says so', async () => {
    const encrypted = await encrypt(data)
    await expect(decrypt(encrypted.slice(0, -20))).rejects.toThrow(
      /line 4: the file is cut off in the middle of chunk 2/,
    )
    await expect(decrypt(encrypted.split('\n').slice(0, 3).join('\n'))).rejects.toThrow(
      /line 4: the file is cut off: chunk 2/,
    )
  })

  test('a chunk of another file of the same partition', async () => {
    const [first, second] = [(await encrypt(data)).split('\n'), (await encrypt(data)).split('\n')]
    const mixed = [first[0], first[1], second[2], first[3], '']
    await expect(decrypt(mixed.join('\n'))).rejects.toThrow(/line 3: this chunk belongs to another file/)
    await expect(decrypt([second[0], ...first.slice(1)].join('\n'))).rejects.toThrow(
      /line 2: this chunk belongs to another file/,
    )
  })

  test('a record that is no chunk, and a chunk that is no frame', async () => {
    const lines = (await encrypt(data)).split('\n')
    for (const plain of ['', 'ASHFILE1', 'x'.repeat(40)]) {
      lines[1] = await fakeCipher.encrypt('p', Buffer.from(plain))
      await expect(decrypt(lines.join('\n'))).rejects.toThrow(/line 2: the record is not a chunk of a file/)
    }
  })

  test('lines after the last chunk', async () => {
    const encrypted = await encrypt(data)
    await expect(decrypt(`${encrypted}\n`)).rejects.toThrow(/goes on after its last chunk/)
    await expect(decrypt(`${encrypted}${encrypted}`)).rejects.toThrow(/goes on after its last chunk/)
  })

  test('a chunk index that only bytes, not the place, agree with', async () => {
    const fileId = '00'.repeat(16)
    const frame = encodeFrame({ fileId, index: 2 ** 40, last: true, data: Buffer.from('x') })
    const text = `{"asherahFile":1,"id":"${fileId}","chunkBytes":1}\n${await fakeCipher.encrypt('p', frame)}\n`
    await expect(decrypt(text)).rejects.toThrow(/chunk 1099511627776 stands where chunk 0 should/)
  })

  test.each([
    ['{"asherahFile":2,"id":"00","chunkBytes":1}', /version 2/],
    ['{"asherahFile":1,"id":"00","chunkBytes":1}', /id is malformed/],
    [`{"asherahFile":1,"id":"${'0'.repeat(32)}"}`, /chunkBytes is malformed/],
    ['{"asherahFile":1,', /line 1: .*not JSON/],
  ])('the header %s', async (header, message) => {
    await expect(decrypt(`${header}\n`)).rejects.toThrow(message)
  })
})

test('another partition cannot read it', async () => {
  const text = await encrypt('secret')
  const other = createFileDecryptor({ cipher: fakeCipher, partition: 'q' })
  await expect(runCodec(other, text)).rejects.toMatchObject({ code: 'ERR_ASHERAH_WRONG_PARTITION', place: { line: 2 } })
})

describe('a bare record', () => {
  test('is exactly the wire text, and decrypt tells it from a chunked file', async () => {
    const { output } = await runCodec(createRecordEncryptor(whose), 'hello', { pieces: [2] })
    expect(output.toString()).toBe(await fakeCipher.encrypt('p', Buffer.from('hello')))
    expect((await decrypt(output)).toString()).toBe('hello')
    expect((await decrypt(`\n  ${output.toString()}\n`, [1])).toString()).toBe('hello')
  })

  test('D-090: holds no more than 64 MiB', async () => {
    const codec = createRecordEncryptor(whose)
    async function* open(): AsyncGenerator<Uint8Array> {
      const piece = new Uint8Array(1024 * 1024)
      for (let count = 0; count <= 64; count++) yield piece
    }
    const run = codec(open, { input: 0, output: 0, rows: 0, values: 0, line: 1, fileId: '' })
    await expect(run.next()).rejects.toThrow(/do not fit one record: encrypt without --record/)
  })

  test.each(['', 'plain text', '[1]'])('%j is no encrypted file', async (text) => {
    await expect(decrypt(text)).rejects.toThrow(/not an encrypted file/)
  })
})
