import { isUint8Array } from 'node:util/types'
import { OVERHEAD_BYTES, WRAPPED_KEY_BYTES } from '../aes-256-gcm.ts'
import { InvalidInputError } from '../errors.ts'
import type { DataRowRecord, DataRowRecordFields, DataRowRecordInput, DataRowRecordJson } from '../types.ts'
import { encodeBase64 } from './base64.ts'
import { formatDataRowRecordJson } from './data-row-text.ts'
import { type JsonShape, scanJson } from './json-scanner.ts'
import {
  type ByteRange,
  byteLengthOf,
  checkBase64,
  checkBytes,
  checkCreated,
  checkFlag,
  checkKeyId,
  checkObject,
  copyBytes,
  detached,
  type Fault,
  kindOf,
  readOwn,
} from './record-fields.ts'
import { DEFAULT_MAX_PLAINTEXT_BYTES, maxRecordTextLength, type RecordLimits } from './record-limits.ts'

const KEY_RANGE: ByteRange = { min: WRAPPED_KEY_BYTES, max: WRAPPED_KEY_BYTES }

/** The two forms of one record: other names, other bytes. */
interface Form {
  readonly key: string
  readonly data: string
  readonly created: string
  readonly encryptedKey: string
  readonly parentKeyMeta: string
  readonly keyId: string
  readonly revoked?: string
  readonly toBytes: (value: unknown, field: string, range: ByteRange, fault: Fault) => Uint8Array
}

const WIRE: Form = {
  key: 'Key',
  data: 'Data',
  created: 'Created',
  encryptedKey: 'Key',
  parentKeyMeta: 'ParentKeyMeta',
  keyId: 'KeyId',
  revoked: 'Revoked',
  toBytes: checkBase64,
}

const FIELDS: Form = {
  key: 'key',
  data: 'data',
  created: 'created',
  encryptedKey: 'encryptedKey',
  parentKeyMeta: 'parentKeyMeta',
  keyId: 'keyId',
  toBytes: copyBytes,
}

const FIELDS_TO_WRITE: Form = { ...FIELDS, toBytes: checkBytes }

const WIRE_SHAPE: JsonShape = {
  Key: {
    Created: 'value',
    Key: 'base64',
    ParentKeyMeta: { KeyId: 'value', Created: 'value' },
    Revoked: 'value',
  },
  Data: 'base64',
}

// A byte order mark stays, so that the scanner refuses it.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// On the prototype: an own function would make structuredClone and postMessage throw.
const recordPrototype = {
  toJSON(this: DataRowRecordFields): DataRowRecordJson {
    return toWire(this)
  },
}

/** Makes a record of fields that are right: nothing is checked and nothing is copied. */
export function createDataRowRecord(fields: DataRowRecordFields): DataRowRecord {
  const record: { -readonly [K in keyof DataRowRecord]: DataRowRecord[K] } = Object.create(recordPrototype)
  record.key = fields.key
  record.data = fields.data
  return record
}

/**
 * Reads a record in any of its forms: JSON text, the bytes of the text, the object that `JSON.parse` makes of it, a
 * {@link DataRowRecord}, or what `structuredClone` leaves of one. An object with its own `Key` or `Data` is wire form.
 *
 * @returns a record of fresh, plain bytes that nothing else refers to.
 * @throws InvalidInputError (`ERR_ASHERAH_INVALID_INPUT`) naming the field, when anything is wrong or over its limit.
 */
export function parseDataRowRecord(input: DataRowRecordInput, limits?: Partial<RecordLimits>): DataRowRecord {
  const maxPlaintextBytes = limits?.maxPlaintextBytes ?? DEFAULT_MAX_PLAINTEXT_BYTES
  const source: unknown = input
  if (typeof source === 'string') return parseText(source, { maxPlaintextBytes })
  if (isUint8Array(source)) {
    return parseText(decodeDataRowRecordText(source, { maxPlaintextBytes }), { maxPlaintextBytes })
  }
  if (typeof source !== 'object' || source === null) {
    throw fault(`must be JSON text, its bytes, or an object, not ${kindOf(source)}`)
  }
  return createDataRowRecord(readFields(source, isWireForm(source) ? WIRE : FIELDS, maxPlaintextBytes))
}

/**
 * The text of a record given as bytes.
 *
 * @throws InvalidInputError when it is longer than any record within the limits, or not UTF-8.
 */
export function decodeDataRowRecordText(bytes: Uint8Array, limits: RecordLimits): string {
  checkTextLength(byteLengthOf(bytes), 'bytes', limits)
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw fault('is not UTF-8 text', cause)
  }
}

/**
 * The wire text of a record: compact, in the order of Go and Rust.
 *
 * @throws InvalidInputError naming the field, when a field is not what it must be.
 */
export function serializeDataRowRecord(record: DataRowRecord | DataRowRecordFields): string {
  const { key, data } = readFields(checkObject(record, 'it', fault), FIELDS_TO_WRITE, Number.POSITIVE_INFINITY)
  try {
    // Not JSON.stringify, which looks for what to escape in the base64 too: four times slower on long data.
    return formatDataRowRecordJson(key, encodeBase64(key.encryptedKey), encodeBase64(data))
  } catch (cause) {
    // V8's strings end at 512 MiB.
    throw fault('is too long for one JSON text', cause)
  }
}

function parseText(text: string, limits: RecordLimits): DataRowRecord {
  checkTextLength(text.length, 'characters', limits)
  const wire = scanJson(text, WIRE_SHAPE, fault)
  if (typeof wire !== 'object' || wire === null || Array.isArray(wire)) throw fault('must be a JSON object')
  const { key, data } = readFields(wire, WIRE, limits.maxPlaintextBytes)
  const { keyId, created } = key.parentKeyMeta
  return createDataRowRecord({ key: { ...key, parentKeyMeta: { keyId: detached(keyId), created } }, data })
}

/** Reads each property once, so what was checked is what is returned. */
function readFields(source: object, form: Form, maxPlaintextBytes: number): DataRowRecordFields {
  const keyPath = form.key
  const key = checkObject(readOwn(source, form.key, keyPath, fault), keyPath, fault)
  const data = readOwn(source, form.data, form.data, fault)

  const ofKey = (name: string): unknown => readOwn(key, name, `${keyPath}.${name}`, fault)
  const created = checkCreated(ofKey(form.created), `${keyPath}.${form.created}`, fault)
  const wrapped = ofKey(form.encryptedKey)
  const encryptedKey = form.toBytes(wrapped, `${keyPath}.${form.encryptedKey}`, KEY_RANGE, fault)
  if (form.revoked !== undefined) checkFlag(ofKey(form.revoked), `${keyPath}.${form.revoked}`, fault)

  const parentPath = `${keyPath}.${form.parentKeyMeta}`
  const parent = checkObject(ofKey(form.parentKeyMeta), parentPath, fault)
  const ofParent = (name: string): unknown => readOwn(parent, name, `${parentPath}.${name}`, fault)
  const keyId = checkKeyId(ofParent(form.keyId), `${parentPath}.${form.keyId}`, fault)
  const parentCreated = checkCreated(ofParent(form.created), `${parentPath}.${form.created}`, fault)

  const dataRange = { min: OVERHEAD_BYTES, max: maxPlaintextBytes + OVERHEAD_BYTES }
  return {
    key: { created, encryptedKey, parentKeyMeta: { keyId, created: parentCreated } },
    data: form.toBytes(data, form.data, dataRange, fault),
  }
}

function toWire({ key, data }: DataRowRecordFields): DataRowRecordJson {
  const { keyId, created } = key.parentKeyMeta
  return {
    Key: {
      Created: key.created,
      Key: encodeBase64(key.encryptedKey),
      ParentKeyMeta: { KeyId: keyId, Created: created },
    },
    Data: encodeBase64(data),
  }
}

function isWireForm(source: object): boolean {
  try {
    return Object.hasOwn(source, WIRE.key) || Object.hasOwn(source, WIRE.data)
  } catch (cause) {
    throw fault('cannot be read', cause)
  }
}

function checkTextLength(length: number, unit: string, limits: RecordLimits): void {
  const max = maxRecordTextLength(limits)
  if (length <= max) return
  throw fault(
    `has ${length} ${unit} of text; with maxPlaintextBytes ${limits.maxPlaintextBytes} the limit is ${max}. ` +
      'Encrypt larger payloads as streams',
  )
}

function fault(problem: string, cause?: unknown): InvalidInputError {
  return new InvalidInputError(`the data row record: ${problem}`, cause === undefined ? undefined : { cause })
}
