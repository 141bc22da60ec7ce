import { CorruptRecordError, InvalidInputError } from '@asherah/core/backend'
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Item, integerOfNumberText, toItem, toRecord } from '../src/items.ts'

const keyId = '_IK_p_service_product'
const created = 1_795_251_360
const asked = { keyId, created }
const encryptedKey = new Uint8Array(60).fill(7)
const key = Buffer.from(encryptedKey).toString('base64')
const parentKeyMeta = { keyId: '_SK_service_product', created: created - 60 }
const parent: AttributeValue = { M: { KeyId: { S: parentKeyMeta.keyId }, Created: { N: String(created - 60) } } }
const record = { keyId, created, encryptedKey, revoked: false, parentKeyMeta }

/** The item of `record` with another body. */
function itemWith(body: Record<string, unknown>, row: Record<string, unknown> = {}): unknown {
  const M = { Key: { S: key }, Created: { N: String(created) }, ParentKeyMeta: parent, ...body }
  return { Id: { S: keyId }, Created: { N: String(created) }, KeyRecord: { M }, ...row }
}

test('D-092 what is written is the form of the other implementations, Revoked only when true', () => {
  expect(toItem(record)).toEqual({
    Id: { S: keyId },
    Created: { N: '1795251360' },
    KeyRecord: { M: { Key: { S: key }, Created: { N: '1795251360' }, ParentKeyMeta: parent } },
  })
  expect(toItem({ ...record, revoked: true }).KeyRecord?.M?.Revoked).toEqual({ BOOL: true })
  const systemKey = { keyId: '_SK_service_product', created, encryptedKey, revoked: false }
  expect(toItem(systemKey).KeyRecord).toEqual({ M: { Key: { S: key }, Created: { N: '1795251360' } } })
  expect(toItem({ ...systemKey, parentKeyMeta })).toEqual(toItem(systemKey))
})

test('what is written is read back', () => {
  const time = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  const text = fc.string({ minLength: 1, unit: 'grapheme' }).map((name) => `_IK_${name}`)
  const parents = fc.option(fc.record({ keyId: text, created: time }), { nil: undefined })
  fc.assert(
    fc.property(
      fc.record({ keyId: text, created: time, encryptedKey: fc.uint8Array({ minLength: 1 }), revoked: fc.boolean() }),
      parents,
      (row, parentKeyMeta) => {
        const whole = parentKeyMeta === undefined ? row : { ...row, parentKeyMeta }
        expect(toRecord(toItem(whole), whole)).toEqual(whole)
      },
    ),
  )
})

test('a record that cannot be written is refused, naming the field', () => {
  expect(() => toItem({ ...record, encryptedKey: new Uint8Array() })).toThrow(InvalidInputError)
  expect(() => toItem({ ...record, created: 0.5 })).toThrow(/created must be/)
})

describe('other forms that are read', () => {
  test.each<[string, unknown, object]>([
    ['Revoked false, as Java writes', itemWith({ Revoked: { BOOL: false } }), record],
    ['Revoked true', itemWith({ Revoked: { BOOL: true } }), { ...record, revoked: true }],
    ['Revoked null', itemWith({ Revoked: { NULL: true } }), record],
    ['more attributes, at each level', itemWith({ X: { SS: ['a'] } }, { 'aws:rep:updatetime': { N: '1.5' } }), record],
    ['D-091 N as 1.79525136E9', itemWith({ Created: { N: '1.79525136E9' } }), record],
    ['D-091 N as 1795251360.0', itemWith({}, { Created: { N: '1795251360.0' } }), record],
    ['no parent', itemWith({ ParentKeyMeta: undefined }), { keyId, created, encryptedKey, revoked: false }],
    ['parent null', itemWith({ ParentKeyMeta: { NULL: true } }), { keyId, created, encryptedKey, revoked: false }],
  ])('%s', (_, item, expected) => {
    expect(toRecord(item, asked)).toEqual(expected)
  })
})

describe('D-056 a malformed item is a CorruptRecordError that names the attribute, never a missing row', () => {
  test.each<[string, unknown, RegExp]>([
    ['no item', undefined, /Id is missing/],
    ['no KeyRecord', { Id: { S: keyId }, Created: { N: String(created) } }, /KeyRecord is missing/],
    ['KeyRecord of text', itemWith({}, { KeyRecord: { S: '{}' } }), /KeyRecord is not of DynamoDB's type M/],
    ['KeyRecord of null', itemWith({}, { KeyRecord: { NULL: true } }), /KeyRecord is not of DynamoDB's type M/],
    ['an unknown type', itemWith({}, { KeyRecord: { $unknown: ['X', {}] } }), /KeyRecord is not of DynamoDB's type M/],
    ['no Key', itemWith({ Key: undefined }), /KeyRecord.Key is missing/],
    ['Key of bytes', itemWith({ Key: { B: encryptedKey } }), /KeyRecord.Key is not of DynamoDB's type S/],
    ['Key empty', itemWith({ Key: { S: '' } }), /encryptedKey must have 1 to/],
    ['Key without padding', itemWith({ Key: { S: 'AA' } }), /KeyRecord.Key is not standard base64/],
    ['Key with a line break', itemWith({ Key: { S: `${key}\n` } }), /KeyRecord.Key is not standard base64/],
    ['Key URL-safe', itemWith({ Key: { S: '-_-_' } }), /KeyRecord.Key is not standard base64/],
    ['Key with trailing bits', itemWith({ Key: { S: 'AB==' } }), /KeyRecord.Key is not standard base64/],
    ['D-090 Key of 2 MiB', itemWith({ Key: { S: 'A'.repeat(2 ** 21) } }), /KeyRecord.Key has 2097152 characters/],
    ['no Created', itemWith({ Created: undefined }), /KeyRecord.Created is missing/],
    ['Created of text', itemWith({ Created: { S: String(created) } }), /KeyRecord.Created is not of DynamoDB's type N/],
    ['Created of another row', itemWith({ Created: { N: String(created + 1) } }), /KeyRecord.Created is 1795251361/],
    ['D-091 Created fraction', itemWith({ Created: { N: '1795251360.5' } }), /KeyRecord.Created is not Unix seconds/],
    ['D-091 Created 0', itemWith({ Created: { N: '0' } }), /KeyRecord.Created is not Unix seconds/],
    ['D-091 Created negative', itemWith({ Created: { N: '-1' } }), /KeyRecord.Created is not Unix seconds/],
    ['D-091 Created over 2^53', itemWith({ Created: { N: '9007199254740993' } }), /KeyRecord.Created is not Unix/],
    ['Revoked of text', itemWith({ Revoked: { S: 'true' } }), /KeyRecord.Revoked is not of DynamoDB's type BOOL/],
    ['Revoked of a number', itemWith({ Revoked: { N: '1' } }), /KeyRecord.Revoked is not of DynamoDB's type BOOL/],
    ['parent of text', itemWith({ ParentKeyMeta: { S: 'x' } }), /ParentKeyMeta is not of DynamoDB's type M/],
    ['half a parent', itemWith({ ParentKeyMeta: { M: { KeyId: { S: 'x' } } } }), /ParentKeyMeta.Created is missing/],
    [
      'parent without id',
      itemWith({ ParentKeyMeta: { M: { Created: { N: '1' } } } }),
      /ParentKeyMeta.KeyId is missing/,
    ],
    ['another id', itemWith({}, { Id: { S: keyId.toUpperCase() } }), /returned the row of "_IK_P_SERVICE_PRODUCT"/],
    ['another created', { ...toItem({ ...record, created: 5 }) }, /returned a row created 5/],
    ['what is inherited', { ...Object.create({ Id: { S: keyId } }) }, /Id is missing/],
  ])('%s', (_, item, message) => {
    const read = (): unknown => toRecord(item, asked)
    expect(read).toThrow(CorruptRecordError)
    expect(read).toThrow(message)
    expect(read).not.toThrow(new RegExp(key.slice(0, 20)))
  })
})

describe('D-091 a DynamoDB number as a whole number, exactly', () => {
  test.each<[string, number | undefined]>([
    ['1', 1],
    ['+1', 1],
    ['007', 7],
    ['0', 0],
    ['0.000', 0],
    ['1.0', 1],
    ['1.50E1', 15],
    ['15e-1', undefined],
    ['150E-1', 15],
    ['1E15', 1e15],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', undefined],
    ['9007199254740991.4', undefined],
    ['1E125', undefined],
    ['1E-130', undefined],
    ['-1', undefined],
    ['-0', undefined],
    ['', undefined],
    [' 1', undefined],
    ['0x10', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['1.', undefined],
    ['.5', undefined],
    ['1_000', undefined],
  ])('%j', (text, value) => {
    expect(integerOfNumberText(text)).toBe(value)
  })

  test('every whole number, in each notation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (value) => {
        const digits = String(value)
        const scientific = `${digits[0]}.${digits.slice(1)}0E+${digits.length - 1}`
        for (const text of [digits, `${digits}.0`, scientific]) expect(integerOfNumberText(text)).toBe(value)
        expect(integerOfNumberText(`${digits}.01`)).toBeUndefined()
      }),
    )
  })
})

test('an item is never changed by reading it', () => {
  const item = toItem(record)
  const before = structuredClone(item)
  const read = toRecord(Object.freeze(item), asked)
  read.encryptedKey.fill(0)
  expect(item).toEqual<Item>(before)
})
