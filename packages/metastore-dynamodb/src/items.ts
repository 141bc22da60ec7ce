import {
  type AskedKey,
  CorruptRecordError,
  decodeBase64,
  type EnvelopeKeyRecord,
  encodeBase64,
  type KeyMeta,
  serializeEnvelopeKeyRecord,
  validateEnvelopeKeyRecord,
} from '@asherah/core/backend'
import type { AttributeValue } from '@aws-sdk/client-dynamodb'

/** One row in DynamoDB's own form. */
export type Item = Record<string, AttributeValue>

/** Far more than any key; DynamoDB's own limit for a whole item is 400 KB. */
const MAX_KEY_TEXT = 1024 * 1024

/** The primary key of a row. */
export function itemKey({ keyId, created }: KeyMeta): Item {
  return { Id: { S: keyId }, Created: { N: String(created) } }
}

/**
 * A record as Go, Java, C# and Rust write it: `Revoked` only when true.
 *
 * @throws InvalidInputError naming the field that is not what it must be.
 */
export function toItem(record: EnvelopeKeyRecord): Item {
  // For its checks: the text itself is the SQL form.
  serializeEnvelopeKeyRecord(record)
  const { keyId, created, encryptedKey, revoked, parentKeyMeta } = validateEnvelopeKeyRecord(record)
  const body: Item = { Key: { S: encodeBase64(encryptedKey) }, Created: { N: String(created) } }
  if (revoked) body.Revoked = { BOOL: true }
  if (parentKeyMeta !== undefined) {
    body.ParentKeyMeta = { M: { KeyId: { S: parentKeyMeta.keyId }, Created: { N: String(parentKeyMeta.created) } } }
  }
  return { ...itemKey({ keyId, created }), KeyRecord: { M: body } }
}

/**
 * Reads a row. Attributes that the wire format does not know are ignored, whatever their types: other tools, and global
 * tables of 2017, add some.
 *
 * @param asked The key that was asked for, if one was: the row must be that, byte for byte.
 * @throws CorruptRecordError naming the row and the attribute, when a known one is missing, of another type, or not what
 * it must be.
 */
export function toRecord(item: unknown, asked?: AskedKey): EnvelopeKeyRecord {
  const { keyId, created } = keyOf(item, asked)
  const fault = faultOf({ keyId, created })
  const body = mapOf(own(item, 'KeyRecord'), 'KeyRecord', fault)
  const bodyCreated = secondsOf(own(body, 'Created'), 'KeyRecord.Created', fault)
  if (bodyCreated !== created) throw fault(`KeyRecord.Created is ${bodyCreated}`)
  const record = {
    keyId,
    created,
    encryptedKey: bytesOf(textOf(own(body, 'Key'), 'KeyRecord.Key', fault), fault),
    revoked: flagOf(own(body, 'Revoked'), 'KeyRecord.Revoked', fault),
    parentKeyMeta: parentOf(own(body, 'ParentKeyMeta'), fault),
  }
  return validateEnvelopeKeyRecord(record, asked)
}

/**
 * The id and created of a row.
 *
 * @throws CorruptRecordError
 */
export function keyOf(item: unknown, asked?: AskedKey): KeyMeta {
  const fault = faultOf(asked)
  return {
    keyId: textOf(own(item, 'Id'), 'Id', fault),
    created: secondsOf(own(item, 'Created'), 'Created', fault),
  }
}

/**
 * The whole number that a DynamoDB N stands for, in any integral notation (`1795251360`, `1795251360.0`, `1.79525136E9`);
 * undefined when it is none, negative, or beyond 2^53 - 1. Exact: no step rounds.
 */
export function integerOfNumberText(text: string): number | undefined {
  const match = /^\+?(\d{1,64})(?:\.(\d{1,64}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null) return undefined
  const [, whole = '', fraction = '', exponentText = '0'] = match
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  if (digits === '') return 0
  const exponent = Number(exponentText) - fraction.length
  const significant = digits.replace(/0+$/, '')
  const zeros = digits.length - significant.length + exponent
  if (zeros < 0 || significant.length + zeros > 16) return undefined
  const value = Number(significant + '0'.repeat(zeros))
  return Number.isSafeInteger(value) ? value : undefined
}

type Fault = (problem: string, cause?: unknown) => CorruptRecordError

function faultOf(key: AskedKey | undefined): Fault {
  const row = key === undefined ? 'an item' : `the item of ${JSON.stringify(key.keyId)}`
  const when = key?.created === undefined ? '' : `, created ${key.created}`
  return (problem, cause) => new CorruptRecordError(`${row}${when}: ${problem}`, cause === undefined ? {} : { cause })
}

/** An own property of an object, or undefined. */
function own(holder: unknown, name: string): unknown {
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, name)) return undefined
  return Reflect.get(holder, name)
}

/** The value of an attribute that must be of this type. */
function typedValue(attribute: unknown, type: 'S' | 'N' | 'M' | 'BOOL', name: string, fault: Fault): unknown {
  if (attribute === undefined) throw fault(`${name} is missing`)
  const value = own(attribute, type)
  if (value === undefined) throw fault(`${name} is not of DynamoDB's type ${type}`)
  return value
}

function textOf(attribute: unknown, name: string, fault: Fault): string {
  const value = typedValue(attribute, 'S', name, fault)
  if (typeof value !== 'string') throw fault(`${name} is not text`)
  return value
}

function secondsOf(attribute: unknown, name: string, fault: Fault): number {
  const value = typedValue(attribute, 'N', name, fault)
  const seconds = typeof value === 'string' ? integerOfNumberText(value) : undefined
  if (seconds === undefined || seconds < 1) throw fault(`${name} is not Unix seconds from 1 to 2^53 - 1`)
  return seconds
}

function mapOf(attribute: unknown, name: string, fault: Fault): object {
  const value = typedValue(attribute, 'M', name, fault)
  if (typeof value !== 'object' || value === null) throw fault(`${name} is not a map`)
  return value
}

/** Absent and null are false: so is the JSON form read. */
function flagOf(attribute: unknown, name: string, fault: Fault): boolean {
  if (attribute === undefined || own(attribute, 'NULL') === true) return false
  const value = typedValue(attribute, 'BOOL', name, fault)
  if (typeof value !== 'boolean') throw fault(`${name} is not true or false`)
  return value
}

function parentOf(attribute: unknown, fault: Fault): KeyMeta | undefined {
  if (attribute === undefined || own(attribute, 'NULL') === true) return undefined
  const parent = mapOf(attribute, 'KeyRecord.ParentKeyMeta', fault)
  return {
    keyId: textOf(own(parent, 'KeyId'), 'KeyRecord.ParentKeyMeta.KeyId', fault),
    created: secondsOf(own(parent, 'Created'), 'KeyRecord.ParentKeyMeta.Created', fault),
  }
}

function bytesOf(text: string, fault: Fault): Uint8Array {
  if (text.length > MAX_KEY_TEXT) throw fault(`KeyRecord.Key has ${text.length} characters`)
  try {
    return decodeBase64(text, 'KeyRecord.Key')
  } catch (cause) {
    throw fault('KeyRecord.Key is not standard base64 with padding, in canonical form', cause)
  }
}
