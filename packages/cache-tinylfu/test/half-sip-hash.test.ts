import { expect, test } from 'vitest'
import { halfSipHash, type TwoWords } from '../src/half-sip-hash.ts'

/** Key 00 to 07; the outputs of `vectors_hsip64` of the reference implementation for messages of 0, 2, 4, … bytes. */
const key: TwoWords = { low: 0x03020100, high: 0x07060504 }
const outputs = [
  '218d1f59b9b83cc8',
  '064f39ef7c50eb57',
  'd5e78a175be52ea1',
  'ce3e91358aa2bc25',
  'edfee820bce4858c',
  '95b0469f06a6f2ee',
  '7bc71f9faef5c799',
  '3bb1a870eae8e658',
]

test('the reference vectors: the message 00 01 02 … as UTF-16 code units, low byte first', () => {
  const hashes = outputs.map((_, units) => {
    const message = Buffer.from(Array.from({ length: units * 2 }, (_, i) => i)).toString('utf16le')
    const { low, high } = halfSipHash(message, key)
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32LE(low, 0)
    bytes.writeUInt32LE(high, 4)
    return bytes.toString('hex')
  })
  expect(hashes).toEqual(outputs)
})

test('another key, and another text, give another hash', () => {
  const texts = ['', 'a', 'b', 'ab', 'ba', 'é', 'e\u0301', '😀', '\ud83d', 'x'.repeat(5_000), 'x'.repeat(5_001)]
  const hashes = [key, { low: 1, high: 2 }].flatMap((k) => texts.map((text) => JSON.stringify(halfSipHash(text, k))))
  expect(new Set(hashes).size).toBe(texts.length * 2)
})
