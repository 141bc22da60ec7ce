import { decodeBase64, encodeBase64, KmsError } from '@asherah/core/backend'

/** A system key under a KMS data key, and that data key under the KMS key of each region. */
export interface KmsEnvelope {
  /** AES-256-GCM of the system key under the data key: 60 bytes. */
  readonly encryptedKey: Uint8Array
  readonly keks: readonly RegionalKek[]
}

/** The data key of an envelope under one region's KMS key. */
export interface RegionalKek {
  readonly region: string
  /** The KMS key that made it; some writers leave it out. */
  readonly arn: string | undefined
  /** What KMS Decrypt takes. */
  readonly encryptedKek: Uint8Array
}

const ENCRYPTED_KEY_BYTES = 60
/** KMS's own limit of a ciphertext. */
const MAX_KEK_BYTES = 6_144
/** Ten times what an envelope of every AWS region needs. */
const MAX_ENVELOPE_BYTES = 262_144

/** Writes an envelope in the form that every Asherah implementation reads (wire-format.md, "SK blob under AWS KMS"). */
export function serializeEnvelope({ encryptedKey, keks }: KmsEnvelope): Uint8Array {
  const kmsKeks = keks.map(({ region, arn, encryptedKek }) => ({
    region,
    arn,
    encryptedKek: encodeBase64(encryptedKek),
  }))
  return new TextEncoder().encode(JSON.stringify({ encryptedKey: encodeBase64(encryptedKey), kmsKeks }))
}

/** Reads an envelope strictly. @throws KmsError naming what is wrong; nothing of the envelope is in the message. */
export function parseEnvelope(blob: Uint8Array): KmsEnvelope {
  const json = parseJson(blob)
  const list = property(json, 'kmsKeks')
  if (!Array.isArray(list)) throw malformed('kmsKeks is not a list')
  const encryptedKey = bytesProperty(json, 'encryptedKey')
  if (encryptedKey.byteLength !== ENCRYPTED_KEY_BYTES)
    throw malformed(`encryptedKey is not ${ENCRYPTED_KEY_BYTES} bytes`)
  return { encryptedKey, keks: list.map(parseKek) }
}

function parseKek(json: unknown): RegionalKek {
  const encryptedKek = bytesProperty(json, 'encryptedKek')
  if (encryptedKek.byteLength === 0 || encryptedKek.byteLength > MAX_KEK_BYTES) {
    throw malformed(`encryptedKek is not 1 to ${MAX_KEK_BYTES} bytes`)
  }
  const arn = property(json, 'arn')
  if (arn !== undefined && arn !== null && typeof arn !== 'string') throw malformed('arn is not text')
  return { region: textProperty(json, 'region'), arn: arn ?? undefined, encryptedKek }
}

function parseJson(blob: Uint8Array): unknown {
  if (blob.byteLength > MAX_ENVELOPE_BYTES) throw malformed(`it is over ${MAX_ENVELOPE_BYTES} bytes`)
  let text: string
  let json: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(blob)
    json = JSON.parse(text)
  } catch {
    // Its own error would quote the text.
    throw malformed('it is not JSON')
  }
  if (hasDuplicateNames(text)) throw malformed('a name stands twice in one object')
  return json
}

/** `JSON.parse` lets the last of two equal names win, so that two readers could see two envelopes (D-087). */
function hasDuplicateNames(validJson: string): boolean {
  const objects: Set<string>[] = []
  for (const [token] of validJson.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}]/g)) {
    if (token === '{') objects.push(new Set())
    else if (token === '}') objects.pop()
    else if (token.endsWith(':')) {
      const names = objects.at(-1)
      const name: unknown = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1))
      if (names === undefined || typeof name !== 'string' || names.has(name)) return true
      names.add(name)
    }
  }
  return false
}

function bytesProperty(json: unknown, name: string): Uint8Array {
  const text = textProperty(json, name)
  try {
    return decodeBase64(text, name)
  } catch {
    throw malformed(`${name} is not base64`)
  }
}

function textProperty(json: unknown, name: string): string {
  const value = property(json, name)
  if (typeof value !== 'string') throw malformed(`${name} is not text`)
  return value
}

function property(json: unknown, name: string): unknown {
  if (typeof json !== 'object' || json === null || !Object.hasOwn(json, name)) return undefined
  return Object.getOwnPropertyDescriptor(json, name)?.value
}

function malformed(what: string): KmsError {
  return new KmsError(`the system key is not an AWS KMS envelope (${what}): another KMS may have made it`)
}
