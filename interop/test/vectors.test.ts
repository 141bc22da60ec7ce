import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SessionFactory } from '@asherah/core'
import type { KeyManagementService, Metastore } from '@asherah/core/backend'
import { createInsecureTestKms } from '@asherah/kms-static'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import type { Vectors } from '@asherah/testing/tools'
import { afterAll, describe, expect, test } from 'vitest'
import { createEnvelopeKms } from '../src/envelope-kms.ts'
import { memoryMetastoreOf, recordOf, writeSqliteFile } from '../src/metastores.ts'
import { vectorFiles, vectorsOf } from '../src/vectors.ts'

/** Every plain file and how many cases it has: a file or case that goes missing fails. */
const plainFiles: Readonly<Record<string, number>> = {
  'go-awskms-sdk-v1.json': 5,
  'go-awskms-sdk-v2.json': 5,
  'go-dynamodb-v1-suffix.json': 15,
  'go-dynamodb-v1.json': 15,
  'go-dynamodb-v2-suffix.json': 15,
  'go-dynamodb-v2.json': 15,
  'go-memory-suffix.json': 16,
  'go-memory.json': 16,
  'go-mysql.json': 15,
  'go-postgres.json': 15,
  'go-revocation.json': 6,
  'go-rotation.json': 10,
  'java-awskms.json': 5,
  'java-dynamodb-suffix.json': 15,
  'java-dynamodb.json': 15,
  'java-json-sessions.json': 12,
  'java-memory-suffix.json': 16,
  'java-memory.json': 16,
  'java-mysql.json': 15,
  'java-postgres.json': 15,
  'java-revocation.json': 6,
  'java-rotation.json': 10,
  'rust-awskms.json': 5,
  'rust-dynamodb-suffix.json': 15,
  'rust-dynamodb.json': 15,
  'rust-mysql.json': 15,
  'rust-postgres.json': 15,
  'rust-revocation.json': 6,
  'rust-rotation.json': 10,
  'rust-sqlite.json': 16,
}

const otherFiles = ['go-multiregion.json', 'kms-variants.json', 'variants.json']

/** The public test key of every Asherah implementation, which wrote the files with a static KMS. */
const publicTestKey = 'thisIsAStaticMasterKeyForTesting'

const scratch = mkdtempSync(join(tmpdir(), 'asherah-vectors-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('the vector files are exactly the known ones', () => {
  expect(vectorFiles()).toEqual([...Object.keys(plainFiles), ...otherFiles].sort())
})

const loaded = await Promise.all(
  Object.entries(plainFiles).map(
    async ([file, caseCount]) => [file, caseCount, await vectorsOf(file, 'asherah-test-vectors/1')] as const,
  ),
)

describe.each(loaded)('%s', (file, caseCount, vectors) => {
  test('has every case', () => {
    expect(vectors.cases).toHaveLength(caseCount)
  })

  test('every case decrypts from text, bytes and the parsed object (memory)', async () => {
    await decryptsEveryCase(vectors, await memoryMetastoreOf(vectors.rows, vectors.regionSuffix))
  })

  test('no case opens in another partition', async () => {
    const metastore = await memoryMetastoreOf(vectors.rows, vectors.regionSuffix)
    await using factory = factoryOf(vectors, metastore)
    for (const { name, partitionId, drr } of vectors.cases) {
      for (const foreign of neighbours(vectors, partitionId)) {
        using session = factory.getSession(foreign)
        await expect(session.decrypt(drr), `${name} in ${foreign}`).rejects.toMatchObject({
          code: 'ERR_ASHERAH_WRONG_PARTITION',
        })
      }
    }
  })

  test('D-014 what we write beside its rows uses its newest key if that is valid, else a newer one', async () => {
    const metastore = await memoryMetastoreOf(vectors.rows, vectors.regionSuffix)
    const written = await encryptInEveryPartition(vectors, metastore)
    await using factory = factoryOf(vectors, metastore)
    for (const { partitionId, plaintext, text, parent } of written) {
      using session = factory.getSession(partitionId)
      expect(Buffer.from(await session.decrypt(text)), partitionId).toEqual(plaintext)
      const newest = newestIntermediateKey(vectors, partitionId)
      expect(parent.keyId).toBe(newest.keyId)
      if (newest.valid) expect(parent.created).toBe(newest.created)
      else expect(parent.created).toBeGreaterThan(newest.created)
    }
    await decryptsEveryCase(vectors, metastore)
  })

  if (vectors.metastore.startsWith('sqlite')) {
    test('every case decrypts (a real SQLite file with the rows’ own text)', async () => {
      const path = join(scratch, `${file}.db`)
      writeSqliteFile(path, vectors.rows)
      const metastore = createSqliteMetastore({ path })
      try {
        await decryptsEveryCase(vectors, metastore)
      } finally {
        await metastore.close()
      }
    })
  }
})

function kmsOf(vectors: Vectors): KeyManagementService {
  if (vectors.kms.type === 'aws') return createEnvelopeKms({ kms: vectors.kms })
  expect(vectors.kms.masterKeyUtf8).toBe(publicTestKey)
  return createInsecureTestKms()
}

/** One minute after the file's newest row, so that the outcome does not depend on when the test runs. */
function clockOf(vectors: Vectors): { now(): number; monotonicMs(): number } {
  const newest = Math.max(...vectors.rows.map((row) => row.created))
  return { now: () => (newest + 60) * 1000, monotonicMs: () => performance.now() }
}

function factoryOf(vectors: Vectors, metastore: Metastore): SessionFactory {
  return new SessionFactory({
    service: vectors.serviceId,
    product: vectors.productId,
    metastore,
    kms: kmsOf(vectors),
    clock: clockOf(vectors),
  })
}

async function decryptsEveryCase(vectors: Vectors, metastore: Metastore): Promise<void> {
  await using factory = factoryOf(vectors, metastore)
  for (const { name, partitionId, plaintextBase64, drr } of vectors.cases) {
    using session = factory.getSession(partitionId)
    for (const input of [drr, Buffer.from(drr), JSON.parse(drr)]) {
      const plaintext = await session.decrypt(input)
      expect(Buffer.from(plaintext).toString('base64'), name).toBe(plaintextBase64)
    }
  }
}

/** Partitions that must not open a record of `partitionId`: similar ids, and ids that a prefix or suffix test confuses. */
function neighbours(vectors: Vectors, partitionId: string): string[] {
  const tail = `_${vectors.serviceId}_${vectors.productId}`
  return [
    ...vectors.cases.map((other) => other.partitionId).filter((other) => other !== partitionId),
    [...partitionId].slice(0, -1).join(''),
    `${partitionId} `,
    partitionId.toUpperCase(),
    `${partitionId}${tail}`,
  ].filter((other) => other !== '' && other !== partitionId)
}

interface Written {
  readonly partitionId: string
  readonly plaintext: Buffer
  readonly text: string
  readonly parent: { readonly keyId: string; readonly created: number }
}

async function encryptInEveryPartition(vectors: Vectors, metastore: Metastore): Promise<Written[]> {
  await using factory = factoryOf(vectors, metastore)
  const written: Written[] = []
  for (const partitionId of new Set(vectors.cases.map((c) => c.partitionId))) {
    using session = factory.getSession(partitionId)
    const plaintext = Buffer.from(`written beside the rows for ${partitionId}`)
    const record = await session.encrypt(plaintext)
    written.push({ partitionId, plaintext, text: JSON.stringify(record), parent: record.key.parentKeyMeta })
  }
  return written
}

function newestIntermediateKey(vectors: Vectors, partitionId: string) {
  const suffix = vectors.regionSuffix === null ? '' : `_${vectors.regionSuffix}`
  const keyId = `_IK_${partitionId}_${vectors.serviceId}_${vectors.productId}${suffix}`
  const records = vectors.rows.map(recordOf)
  const newest = records.filter((record) => record.keyId === keyId).sort((a, b) => b.created - a.created)[0]
  if (newest === undefined) throw new Error(`no row for ${keyId}`)
  const parent = records.find(
    (record) => record.keyId === newest.parentKeyMeta?.keyId && record.created === newest.parentKeyMeta.created,
  )
  if (parent === undefined) throw new Error(`no parent row for ${keyId}`)
  return { keyId, created: newest.created, valid: !newest.revoked && !parent.revoked }
}
