import { CorruptRecordError, InvalidInputError } from '../errors.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import { encodeBase64 } from './base64.ts'
import { type JsonShape, scanJson } from './json-scanner.ts'
import {
  type ByteRange,
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
  readAny,
  readOwn,
} from './record-fields.ts'

/** What a row must be: `created` may be left out where any will do. */
export interface AskedKey {
  readonly keyId: string
  /** Unix seconds. */
  readonly created?: number
}

/** In characters of text. Real rows have hundreds; a KMS's blob for many regions has thousands. */
const MAX_TEXT_LENGTH = 1024 * 1024
const KEY_RANGE: ByteRange = { min: 1, max: MAX_TEXT_LENGTH }
const MAX_ID_SHOWN = 256

const SHAPE: JsonShape = {
  Revoked: 'value',
  Created: 'value',
  Key: 'base64',
  ParentKeyMeta: { KeyId: 'value', Created: 'value' },
}

/**
 * Reads the `key_record` text of one metastore row. A system key has no parent: one that its text names is ignored.
 *
 * @param meta The row's id and created columns: the key's identity.
 * @throws CorruptRecordError (`ERR_ASHERAH_CORRUPT_RECORD`) naming the row and the field, when anything is wrong.
 */
export function parseEnvelopeKeyRecord(text: string, meta: KeyMeta): EnvelopeKeyRecord {
  const fault = rowFault(meta)
  const source: unknown = text
  if (typeof source !== 'string') throw fault(`its key record must be JSON text, not ${kindOf(source)}`)
  if (source.length > MAX_TEXT_LENGTH) {
    throw fault(`its key record has ${source.length} characters; the limit is ${MAX_TEXT_LENGTH}`)
  }
  const wire = scanJson(source, SHAPE, (problem) => fault(`its key record ${problem}`))
  if (typeof wire !== 'object' || wire === null || Array.isArray(wire))
    throw fault('its key record must be a JSON object')

  const own = (name: string): unknown => readOwn(wire, name, name, fault)
  const created = checkCreated(own('Created'), 'Created', fault)
  if (created !== meta.created) throw fault(`its key record says Created ${created}`)
  const encryptedKey = checkBase64(own('Key'), 'Key', KEY_RANGE, fault)
  const revoked = checkFlag(own('Revoked'), 'Revoked', fault)
  const parent = readParent(
    own('ParentKeyMeta'),
    { parent: 'ParentKeyMeta', keyId: 'KeyId', created: 'Created' },
    fault,
  )
  return recordOf({ keyId: checkKeyId(meta.keyId, 'its id', fault), created }, encryptedKey, revoked, parent)
}

/**
 * The `key_record` text of a record: compact, in the order of `wire-format.md`, `Revoked` only when true.
 *
 * @throws InvalidInputError (`ERR_ASHERAH_INVALID_INPUT`) naming the field, when a field is not what it must be.
 */
export function serializeEnvelopeKeyRecord(record: EnvelopeKeyRecord): string {
  const fault: Fault = (problem, cause) => new InvalidInputError(`the envelope key record: ${problem}`, causeOf(cause))
  const { created, encryptedKey, revoked, parentKeyMeta } = readRecord(record, checkBytes, fault)
  const text = JSON.stringify({
    Revoked: revoked ? true : undefined,
    Created: created,
    Key: encodeBase64(encryptedKey),
    ParentKeyMeta:
      parentKeyMeta === undefined ? undefined : { KeyId: parentKeyMeta.keyId, Created: parentKeyMeta.created },
  })
  // What is written must be readable.
  if (text.length > MAX_TEXT_LENGTH) {
    throw fault(`its text has ${text.length} characters; the limit is ${MAX_TEXT_LENGTH}`)
  }
  return text
}

/**
 * Checks a record that a metastore handed over as an object, and copies it. A system key's parent is ignored.
 *
 * @param asked The key that was asked for, if one was: the record must be that, byte for byte.
 * @throws CorruptRecordError (`ERR_ASHERAH_CORRUPT_RECORD`) naming the row and the field, when anything is wrong.
 */
export function validateEnvelopeKeyRecord(value: unknown, asked?: AskedKey): EnvelopeKeyRecord {
  const fault = rowFault(asked)
  const record = readRecord(value, copyBytes, fault)
  if (asked === undefined) return record
  if (record.keyId !== asked.keyId) {
    throw fault(
      `the metastore returned the row of ${shownId(record.keyId)}: does it compare ids without regard to case?`,
    )
  }
  if (asked.created !== undefined && record.created !== asked.created) {
    throw fault(`the metastore returned a row created ${record.created}`)
  }
  return { ...record, keyId: asked.keyId }
}

/** Reads each property once, so what was checked is what is returned. */
function readRecord(value: unknown, toBytes: typeof copyBytes, fault: Fault): EnvelopeKeyRecord {
  const source = checkObject(value, 'the record', fault)
  const read = (name: string): unknown => readAny(source, name, name, fault)
  const keyId = checkKeyId(read('keyId'), 'keyId', fault)
  const created = checkCreated(read('created'), 'created', fault)
  const encryptedKey = toBytes(read('encryptedKey'), 'encryptedKey', KEY_RANGE, fault)
  const revoked = read('revoked')
  // Not absent, not null: a store that loses the flag would bring revoked keys back.
  if (typeof revoked !== 'boolean') throw fault(`revoked must be true or false, not ${kindOf(revoked)}`)
  const parent = readParent(
    read('parentKeyMeta'),
    { parent: 'parentKeyMeta', keyId: 'keyId', created: 'created' },
    fault,
  )
  return recordOf({ keyId, created }, encryptedKey, revoked, parent)
}

function readParent(
  value: unknown,
  names: { readonly parent: string; readonly keyId: string; readonly created: string },
  fault: Fault,
): KeyMeta | undefined {
  if (value === undefined || value === null) return undefined
  const source = checkObject(value, names.parent, fault)
  const field = (name: string): string => `${names.parent}.${name}`
  const read = (name: string): unknown => readAny(source, name, field(name), fault)
  const keyId = checkKeyId(read(names.keyId), field(names.keyId), fault)
  const created = checkCreated(read(names.created), field(names.created), fault)
  return { keyId: detached(keyId), created }
}

function recordOf(
  { keyId, created }: KeyMeta,
  encryptedKey: Uint8Array,
  revoked: boolean,
  parent: KeyMeta | undefined,
): EnvelopeKeyRecord {
  const isSystemKey = keyId.startsWith('_SK_')
  return parent === undefined || isSystemKey
    ? { keyId, created, encryptedKey, revoked }
    : { keyId, created, encryptedKey, revoked, parentKeyMeta: parent }
}

function rowFault(asked: AskedKey | undefined): Fault {
  return (problem, cause) => {
    const row = asked === undefined ? 'a metastore row' : `the metastore's row of ${shownId(asked.keyId)}`
    const when = asked?.created === undefined ? '' : `, created ${asked.created}`
    return new CorruptRecordError(`${row}${when}: ${problem}`, causeOf(cause))
  }
}

/** An id as a message shows it: quoted, escaped, and not a megabyte long. */
function shownId(keyId: string): string {
  const text = JSON.stringify(keyId)
  return text.length <= MAX_ID_SHOWN ? text : `${text.slice(0, MAX_ID_SHOWN)}…`
}

function causeOf(cause: unknown): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause }
}
