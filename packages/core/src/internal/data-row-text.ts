import { OVERHEAD_BYTES, WRAPPED_KEY_BYTES } from '../aes-256-gcm.ts'
import type { RowMeta } from '../contracts/crypto-provider.ts'
import { InvalidInputError } from '../errors.ts'
import type { KeyMeta } from '../types.ts'
import { base64Length, decodedBase64Length } from './base64.ts'
import { checkCreated, checkKeyId, detached } from './record-fields.ts'
import { maxRecordTextLength, type RecordLimits } from './record-limits.ts'

/** The part of a row's text that all rows under one intermediate key share: made once, used to write and to recognise. */
export interface DataRowTemplate {
  readonly parentKeyMeta: KeyMeta
  /** From the quote that ends `Key.Key` to the one that opens `Data`. */
  readonly middle: string
}

/** What {@link scanDataRowRecord} found. */
export interface ScannedDataRow {
  /** The data row key's own time, in Unix seconds. */
  readonly created: number
  readonly parentKeyId: string
  /** Unix seconds. */
  readonly parentCreated: number
  /** Where the two base64 texts stand in the text: key start, key end, data start, data end. */
  readonly spans: Uint32Array
}

const HEAD = '{"Key":{"Created":'
const WRAPPED = ',"Key":"'
const PARENT = '","ParentKeyMeta":{"KeyId":"'
const PARENT_CREATED = '","Created":'
const DATA = '}},"Data":"'
const TAIL = '"}'

/** Times from September 2001 to November 2286 have ten digits, so what stands before the id stands at fixed places. */
const CREATED_DIGITS = 10
const WRAPPED_START = HEAD.length + CREATED_DIGITS
const KEY_START = WRAPPED_START + WRAPPED.length
const KEY_END = KEY_START + base64Length(WRAPPED_KEY_BYTES)

const EQUALS = 0x3d
const SPACE = 0x20
const FIRST_SURROGATE = 0xd800
const LAST_SURROGATE = 0xdfff

/**
 * @throws InvalidInputError when the id is empty or not well-formed, or `created` is not positive whole seconds.
 */
export function createDataRowTemplate(parentKeyMeta: KeyMeta): DataRowTemplate {
  const fault = (problem: string): InvalidInputError => new InvalidInputError(`an intermediate key's ${problem}`)
  const keyId = checkKeyId(parentKeyMeta.keyId, 'keyId', fault)
  const created = checkCreated(parentKeyMeta.created, 'created', fault)
  return { parentKeyMeta: { keyId, created }, middle: middleOf({ keyId, created }) }
}

/** A row's wire text from its parts. Nothing is checked: they are core's own. */
export function formatDataRowRecordJson(meta: RowMeta, encryptedKeyBase64: string, dataBase64: string): string {
  return joinDataRowRecordJson(meta.created, encryptedKeyBase64, middleOf(meta.parentKeyMeta), dataBase64)
}

/** As {@link formatDataRowRecordJson}, with the id escaped beforehand: half the time of a short row's text. */
export function formatDataRowFromTemplate(
  template: DataRowTemplate,
  created: number,
  encryptedKeyBase64: string,
  dataBase64: string,
): string {
  return joinDataRowRecordJson(created, encryptedKeyBase64, template.middle, dataBase64)
}

/**
 * Recognises the text that this library, Go and Rust write, by position: compact, in their order, ten-digit times, and no
 * escapes anywhere. The spans are then exactly the texts that {@link parseDataRowRecord} would decode, within the limits;
 * whether they are canonical base64 is left to whoever decodes them, and a text of which they are not is no record.
 *
 * @param template Of the intermediate key that is likeliest: an id that matches is then not copied out of the text.
 * @returns undefined for every other text, be it a record or not: `parseDataRowRecord` has the answer.
 */
export function scanDataRowRecord(
  json: string,
  limits: RecordLimits,
  template?: DataRowTemplate,
): ScannedDataRow | undefined {
  if (json.length > maxRecordTextLength(limits) || !json.startsWith(HEAD)) return undefined
  if (!json.startsWith(WRAPPED, WRAPPED_START) || json.indexOf('"', KEY_START) !== KEY_END) return undefined
  const created = tenDigits(json, HEAD.length)
  // A wrapped key is 60 bytes, so its text is not padded.
  if (created === undefined || json.charCodeAt(KEY_END - 1) === EQUALS || json.includes('\\')) return undefined

  if (template !== undefined && json.startsWith(template.middle, KEY_END)) {
    const { keyId, created: parentCreated } = template.parentKeyMeta
    const spans = spansOf(json, KEY_END + template.middle.length, limits)
    return spans === undefined ? undefined : { created, parentKeyId: keyId, parentCreated, spans }
  }

  const idStart = KEY_END + PARENT.length
  const idEnd = json.indexOf('"', idStart)
  const parentCreatedStart = idEnd + PARENT_CREATED.length
  const dataStart = parentCreatedStart + CREATED_DIGITS + DATA.length
  if (
    !json.startsWith(PARENT, KEY_END) ||
    idEnd <= idStart ||
    !json.startsWith(PARENT_CREATED, idEnd) ||
    !json.startsWith(DATA, dataStart - DATA.length) ||
    !isPlainText(json, idStart, idEnd)
  ) {
    return undefined
  }
  const parentCreated = tenDigits(json, parentCreatedStart)
  const spans = spansOf(json, dataStart, limits)
  if (parentCreated === undefined || spans === undefined) return undefined
  return { created, parentKeyId: detached(json.slice(idStart, idEnd)), parentCreated, spans }
}

/** Undefined when what follows `dataStart` is not one string of an allowed length and the end of the record. */
function spansOf(json: string, dataStart: number, { maxPlaintextBytes }: RecordLimits): Uint32Array | undefined {
  const dataEnd = json.indexOf('"', dataStart)
  if (dataEnd < 0 || dataEnd !== json.length - TAIL.length || !json.endsWith(TAIL)) return undefined
  const length = decodedBase64Length(json.slice(dataStart, dataEnd))
  if (length === undefined || length < OVERHEAD_BYTES || length > maxPlaintextBytes + OVERHEAD_BYTES) return undefined
  const spans = new Uint32Array(4)
  spans[0] = KEY_START
  spans[1] = KEY_END
  spans[2] = dataStart
  spans[3] = dataEnd
  return spans
}

function middleOf({ keyId, created }: KeyMeta): string {
  return `","ParentKeyMeta":{"KeyId":${JSON.stringify(keyId)}${PARENT_CREATED.slice(1)}${created}${DATA}`
}

function joinDataRowRecordJson(created: number, encryptedKey: string, middle: string, data: string): string {
  return HEAD + created + WRAPPED + encryptedKey + middle + data + TAIL
}

function tenDigits(json: string, start: number): number | undefined {
  let value = 0
  for (let at = start; at < start + CREATED_DIGITS; at++) {
    const digit = json.charCodeAt(at) - 0x30
    if (!(digit >= 0 && digit <= 9)) return undefined
    value = value * 10 + digit
  }
  // No leading zero.
  return value >= 1_000_000_000 ? value : undefined
}

/** Text without control characters. Surrogates, be they pairs, are for the strict parser. */
function isPlainText(json: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = json.charCodeAt(at)
    if (code < SPACE || (code >= FIRST_SURROGATE && code <= LAST_SURROGATE)) return false
  }
  return true
}
