import { type CryptoProvider, DecryptionError, type KeyHandle } from '@asherah/core/backend'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNativeCrypto } from '../src/index.ts'
import { nativeBinary } from './support/native-build.ts'

/** A row's two parts, and every form in which the provider takes them. */
interface Row {
  readonly encryptedKey: Uint8Array
  readonly data: Uint8Array
}

function textOf({ encryptedKey, data }: Row): { json: string; spans: Uint32Array } {
  const [key, payload] = [Buffer.from(encryptedKey).toString('base64'), Buffer.from(data).toString('base64')]
  const head = `{"Key":{"Created":1,"Key":"`
  const middle = `","ParentKeyMeta":{"KeyId":"_IK_p_s_pr","Created":1}},"Data":"`
  const dataStart = head.length + key.length + middle.length
  const spans = Uint32Array.of(head.length, head.length + key.length, dataStart, dataStart + payload.length)
  return { json: `${head}${key}${middle}${payload}"}`, spans }
}

describe.skipIf(nativeBinary() === undefined)('authentication in every form of a row', () => {
  let crypto: CryptoProvider
  let key: KeyHandle
  beforeAll(() => {
    crypto = createNativeCrypto({ mode: 'required' })
    key = crypto.generateKey()
  })
  afterAll(() => crypto?.close())

  const forms: readonly (readonly [string, (row: Row, ik?: KeyHandle) => unknown])[] = [
    ['parts', ({ encryptedKey, data }, ik = key) => crypto.decryptRow(ik, encryptedKey, data)],
    ['text', (row, ik = key) => crypto.decryptRowJson?.(ik, textOf(row).json, textOf(row).spans)],
    ['bytes', (row, ik = key) => crypto.decryptRowJson?.(ik, Buffer.from(textOf(row).json), textOf(row).spans)],
    [
      'batch',
      (row, ik = key) => {
        const packed = Buffer.from(textOf(row).json)
        return crypto.decryptRowsPacked?.(ik, packed, Uint32Array.of(packed.length)).packed
      },
    ],
  ]

  /** The error of a call that must fail. */
  function errorOf(call: () => unknown): unknown {
    try {
      return { opened: call() }
    } catch (error) {
      return error
    }
  }

  test.each(forms)('%s: a row opens, and with any one bit changed does not (D-097)', (_, open) => {
    const row = crypto.encryptRow(key, Buffer.from('payload'))
    expect(Buffer.from(Object(open(row))).toString()).toBe('payload')
    for (const part of ['encryptedKey', 'data'] as const) {
      for (let bit = 0; bit < row[part].length * 8; bit += 1) {
        const changed = new Uint8Array(row[part])
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const error = errorOf(() => open({ ...row, [part]: changed }))
        expect(error, `${part}, bit ${bit}`).toBeInstanceOf(DecryptionError)
      }
    }
  })

  test.each(forms)(
    '%s: an altered tag, another key and parts of two rows are one and the same error (D-106)',
    (_, open) => {
      const [row, other] = [crypto.encryptRow(key, Buffer.from('one')), crypto.encryptRow(key, Buffer.from('two'))]
      const altered = new Uint8Array(row.data)
      altered[4] = (altered[4] ?? 0) ^ 1
      const errors = [
        errorOf(() => open({ ...row, data: altered })),
        errorOf(() => open(row, crypto.generateKey())),
        errorOf(() => open({ encryptedKey: row.encryptedKey, data: other.data })),
      ]
      for (const error of errors) expect(error).toBeInstanceOf(DecryptionError)
      expect(new Set(errors.map((error) => Object(error).message)).size).toBe(1)
    },
  )

  test('a long row whose last bit was changed fails off the main thread too (D-097)', async () => {
    const row = crypto.encryptRow(key, Buffer.alloc(200_000, 0x61))
    const data = new Uint8Array(row.data)
    data[data.length - 1] = (data[data.length - 1] ?? 0) ^ 0x80
    await expect(crypto.decryptRowAsync?.(key, row.encryptedKey, data)).rejects.toBeInstanceOf(DecryptionError)
    await expect(crypto.decryptRowAsync?.(key, row.encryptedKey, row.data)).resolves.toHaveLength(200_000)
  })
})
