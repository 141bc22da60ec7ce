import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** A row as one would write it from the wire format alone: node:crypto with raw keys, and nothing reused. */
export function naiveEncrypt(
  intermediateKey: Buffer,
  parent: { keyId: string; created: number },
  plaintext: Uint8Array,
): string {
  const dataRowKey = randomBytes(32)
  const data = seal(plaintext, dataRowKey)
  const key = seal(dataRowKey, intermediateKey)
  dataRowKey.fill(0)
  return JSON.stringify({
    Key: {
      Created: Math.floor(Date.now() / 1000),
      Key: key.toString('base64'),
      ParentKeyMeta: { KeyId: parent.keyId, Created: parent.created },
    },
    Data: data.toString('base64'),
  })
}

/** The reverse of {@link naiveEncrypt}. */
export function naiveDecrypt(intermediateKey: Buffer, json: string): Buffer {
  const record: { Key: { Key: string }; Data: string } = JSON.parse(json)
  const dataRowKey = open(Buffer.from(record.Key.Key, 'base64'), intermediateKey)
  const plaintext = open(Buffer.from(record.Data, 'base64'), dataRowKey)
  dataRowKey.fill(0)
  return plaintext
}

function seal(plaintext: Uint8Array, key: Buffer): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag(), nonce])
}

function open(blob: Buffer, key: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(-12))
  decipher.setAuthTag(blob.subarray(-28, -12))
  return Buffer.concat([decipher.update(blob.subarray(0, -28)), decipher.final()])
}
