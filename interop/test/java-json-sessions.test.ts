import { SessionFactory } from '@asherah/core'
import { createInsecureTestKms } from '@asherah/kms-static'
import { describe, expect, test } from 'vitest'
import { memoryMetastoreOf } from '../src/metastores.ts'
import { vectorsOf } from '../src/vectors.ts'

const { serviceId, productId, rows, cases } = await vectorsOf('java-json-sessions.json', 'asherah-test-vectors/1')

describe('what each kind of Java session wrote, our session of that kind reads', () => {
  test.each(cases)('$name', async ({ partitionId, plaintextBase64, drr, javaSession }) => {
    await using factory = new SessionFactory({
      service: serviceId,
      product: productId,
      metastore: await memoryMetastoreOf(rows),
      kms: createInsecureTestKms(),
    })
    const bytes = Buffer.from(plaintextBase64, 'base64')
    const value = JSON.parse(bytes.toString())
    switch (javaSession) {
      case 'bytes/bytes': {
        const plaintext = await factory.getSessionBytes(partitionId).decrypt(Buffer.from(drr))
        return expect(Buffer.from(plaintext)).toEqual(bytes)
      }
      case 'bytes/json': {
        const plaintext = await factory.getSessionBytesAsJson(partitionId).decrypt(JSON.parse(drr))
        return expect(Buffer.from(plaintext)).toEqual(bytes)
      }
      case 'json/bytes':
        return expect(await factory.getSessionJson(partitionId).decrypt(Buffer.from(drr))).toEqual(value)
      case 'json/json':
        return expect(await factory.getSessionJsonAsJson(partitionId).decrypt(JSON.parse(drr))).toEqual(value)
      default:
        throw new Error(`unknown kind of session: ${javaSession}`)
    }
  })
})
