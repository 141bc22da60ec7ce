import { expect, it } from 'vitest'
import { decodeHexKey, isHexKey, publicTestKey, weaknessOf } from '../../src/backend.ts'
import { InvalidInputError } from '../../src/index.ts'

const DIGITS = '00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100'

it('D-080 64 hex digits are a key, in either case', () => {
  expect(isHexKey(DIGITS)).toBe(true)
  expect(decodeHexKey(DIGITS)).toEqual(new Uint8Array(Buffer.from(DIGITS, 'hex')))
})

it.each([
  ['63 digits', DIGITS.slice(1)],
  ['65 digits', `${DIGITS}0`],
  ['a prefix', `0x${DIGITS.slice(2)}`],
  ['a sign', `+${DIGITS.slice(1)}`],
  ['a space in the middle', `${DIGITS.slice(0, 32)} ${DIGITS.slice(33)}`],
  ['a newline after them', `${DIGITS}\n`],
  ['another letter', `g${DIGITS.slice(1)}`],
  ['full-width digits', DIGITS.replaceAll('0', '０')],
  ['nothing', ''],
])('D-080 %s: no key, and no digit of it in the error', (_, text) => {
  expect(isHexKey(text)).toBe(false)
  expect(() => decodeHexKey(text)).toThrow(InvalidInputError)
  expect(() => decodeHexKey(text)).not.toThrow(/[0-9a-f]{8}/i)
})

it.each([[undefined], [null], [7], [new Uint8Array(64)], [[DIGITS]]])('%s is no text of a key', (value) => {
  expect(isHexKey(value)).toBe(false)
})

it('weak are the public test key and one byte repeated, and what differs from them in one bit is not', () => {
  const repeated = new Uint8Array(32).fill(0xa7)
  expect(weaknessOf(publicTestKey())).toBe('public test key')
  expect(weaknessOf(repeated)).toBe('one byte repeated')
  expect(weaknessOf(new Uint8Array(32))).toBe('one byte repeated')
  for (const key of [publicTestKey(), repeated]) {
    for (const at of [0, 31]) {
      const other = key.slice()
      other[at] = (other[at] ?? 0) ^ 1
      expect(weaknessOf(other)).toBeUndefined()
    }
  }
})

it('the public test key is given anew each time', () => {
  const key = publicTestKey()
  expect(Buffer.from(key).toString()).toBe('thisIsAStaticMasterKeyForTesting')
  key.fill(0)
  expect(publicTestKey()).not.toEqual(key)
})
