import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { fromBase64Bytes, toBase64Bytes } from '../src/base64-bytes.ts'

test('bytes of every length up to 64 are written and read as Node writes them', () => {
  for (let length = 0; length <= 64; length++) {
    const bytes = new Uint8Array(randomBytes(length))
    const text = toBase64Bytes(bytes)
    expect(Buffer.from(text).toString()).toBe(Buffer.from(bytes).toString('base64'))
    expect(fromBase64Bytes(text, length)).toEqual(bytes)
    if (length > 0) expect(fromBase64Bytes(text, length - 1), `${length} bytes taken for fewer`).not.toEqual(bytes)
  }
})

test.each(['AAA', 'AAAA=', 'A===', 'AA=A', 'AB==', 'A-==', 'A_==', 'A ==', 'A\n==', '=AA='])(
  'not canonical: %j',
  (text) => {
    expect(fromBase64Bytes(Buffer.from(text), 1)).toBeUndefined()
  },
)
