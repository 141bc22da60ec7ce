import { describe, expect, test } from 'vitest'
import { InvalidInputError, WrongPartitionError } from '../src/index.ts'
import { createWorld } from './fakes.ts'

const payloads = Array.from({ length: 20 }, (_, i) => new Uint8Array(i * 3).fill(i))

describe('batches', () => {
  test('what encryptMany writes, decrypt and decryptMany read, in order, cold and warm', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    for (let round = 0; round < 2; round++) {
      const rows = await session.encryptMany(payloads)
      expect(rows).toHaveLength(payloads.length)
      expect(await session.decryptMany(rows)).toEqual(payloads)
      expect(await session.decrypt(rows[7] ?? '')).toEqual(payloads[7])
    }
    expect(await session.encryptMany([])).toEqual([])
    expect(await session.decryptMany([])).toEqual([])
  })

  test('each form of record is taken, also mixed', async () => {
    const session = createWorld().factory.getSession('p')
    const record = await session.encrypt(new Uint8Array([1]))
    const text = JSON.stringify(record)
    const forms = [record, text, new TextEncoder().encode(text), JSON.parse(text)]
    expect(await session.decryptMany(forms)).toEqual(forms.map(() => new Uint8Array([1])))
  })

  test('a bad payload is named and nothing is written', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    // @ts-expect-error: text is no payload
    const refused = session.encryptMany([new Uint8Array(1), 'text'])
    await expect(refused).rejects.toThrow(InvalidInputError)
    await expect(refused).rejects.toThrow('payload 1 of the batch')
    // @ts-expect-error: one payload is no list
    await expect(session.encryptMany(new Uint8Array(1))).rejects.toThrow(InvalidInputError)
    expect(world.rows.all()).toHaveLength(0)
  })

  test("another partition's record fails the batch", async () => {
    const factory = createWorld().factory
    const foreign = await factory.getSession('q').encryptToJson(new Uint8Array(1))
    const session = factory.getSession('p')
    const own = await session.encryptToJson(new Uint8Array(1))
    await expect(session.decryptMany([own, foreign])).rejects.toThrow(WrongPartitionError)
  })
})
