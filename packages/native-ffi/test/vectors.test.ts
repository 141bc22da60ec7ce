import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SessionFactory } from '@asherah/core'
import { type KeyManagementService, openAes256Gcm, parseEnvelopeKeyRecord } from '@asherah/core/backend'
import { loadVectors, type VectorKms, type VectorRow, type Vectors } from '@asherah/testing/tools'
import { afterAll, describe, expect, test } from 'vitest'
import { createNativeCrypto } from '../src/index.ts'
import { createFakeKms, createFakeMetastore } from './support/fakes.ts'
import { nativeBinary } from './support/native-build.ts'

const folder = join(import.meta.dirname, '../../../interop/vectors')
const binary = nativeBinary()
if (!existsSync(folder)) throw new Error('interop/vectors is missing')

const plain: [string, Vectors][] = []
for (const file of readdirSync(folder).sort()) {
  const vectors = await loadVectors(join(folder, file))
  if (vectors.format === 'asherah-test-vectors/1') plain.push([file, vectors])
}

describe.skipIf(binary === undefined)('records of the other implementations', () => {
  const crypto = binary === undefined ? undefined : createNativeCrypto({ mode: 'required' })
  afterAll(() => crypto?.close())

  test('there are the known files and cases', () => {
    expect(plain).toHaveLength(30)
    expect(plain.reduce((sum, [, { cases }]) => sum + cases.length, 0)).toBe(370)
  })

  test.each(plain)('%s: every case decrypts from text, bytes and the parsed object', async (_, vectors) => {
    const metastore = createFakeMetastore(vectors.rows.map(recordOf), vectors.regionSuffix)
    const factory = new SessionFactory({
      service: vectors.serviceId,
      product: vectors.productId,
      metastore,
      kms: kmsOf(vectors.kms),
      ...(crypto && { crypto }),
    })
    for (const { partitionId, plaintextBase64, drr } of vectors.cases) {
      const session = factory.getSession(partitionId)
      const expected = Buffer.from(plaintextBase64, 'base64')
      for (const form of [drr, Buffer.from(drr), JSON.parse(drr)]) {
        expect(Buffer.from(await session.decrypt(form))).toEqual(expected)
      }
      if (vectors.kms.type === 'static') {
        expect(Buffer.from(await session.decrypt(await session.encryptToJson(expected)))).toEqual(expected)
      }
      session.close()
    }
    await factory.close()
  })
})

function recordOf(row: VectorRow): ReturnType<typeof parseEnvelopeKeyRecord> {
  return parseEnvelopeKeyRecord(row.keyRecord ?? JSON.stringify(plainOf(at(row.dynamodbItem, 'KeyRecord'))), {
    keyId: row.id,
    created: row.created,
  })
}

/** What a DynamoDB attribute value stands for. */
function plainOf(value: unknown): unknown {
  const map = at(value, 'M')
  if (typeof map === 'object' && map !== null) {
    return Object.fromEntries(Object.entries(map).map(([name, inner]) => [name, plainOf(inner)]))
  }
  return at(value, 'N') === undefined ? (at(value, 'S') ?? at(value, 'BOOL')) : Number(at(value, 'N'))
}

function at(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function kmsOf(kms: VectorKms): KeyManagementService {
  if (kms.type === 'static') return createFakeKms(Buffer.from(kms.masterKeyHex, 'hex'))
  const dataKeys = new Map(kms.keks.map((kek) => [kek.encryptedKek, kek.plaintextDataKeyBase64]))
  return {
    encryptKey: () => Promise.reject(new Error('the vector KMS only decrypts')),
    async decryptKey(blob) {
      const envelope: unknown = JSON.parse(Buffer.from(blob).toString())
      const keks: unknown = at(envelope, 'kmsKeks')
      const list: unknown[] = Array.isArray(keks) ? keks : []
      const known = list.map((kek) => dataKeys.get(String(at(kek, 'encryptedKek')))).find((key) => key !== undefined)
      if (known === undefined) throw new Error('no region knows the key')
      return openAes256Gcm(Buffer.from(String(at(envelope, 'encryptedKey')), 'base64'), Buffer.from(known, 'base64'))
    },
  }
}
