import { AdoMetastoreImpl, DynamoDbMetastoreImpl, InMemoryMetastoreImpl, SessionFactory } from '@asherah/compat'
import { InvalidConfigError, type Metastore } from '@asherah/core'
import { describe, expect, it } from 'vitest'

const KEY = 'a key of exactly 32 bytes, mine!'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('regions', () => {
  const inRegion = (suffix: string, metastore: Metastore): Metastore => ({
    regionSuffix: suffix,
    load: (...given) => metastore.load(...given),
    loadLatest: (...given) => metastore.loadLatest(...given),
    store: (...given) => metastore.store(...given),
  })
  const step = (metastore: Metastore) =>
    SessionFactory.newBuilder('product', 'service')
      .withMetastore(metastore)
      .withNeverExpiredCryptoPolicy()
      .withStaticKeyManagementService(KEY)

  it('withRecoveryRegionSuffixes reads the records of the regions that it lists, and of no other', async () => {
    const store = new InMemoryMetastoreImpl()
    await using east = step(inRegion('us-east-1', store)).build()
    const record = await east.getSessionBytes('p').encrypt(bytes('x'))
    const west = inRegion('us-west-2', store)
    await using alone = step(west).build()
    await expect(alone.getSessionBytes('p').decrypt(record)).rejects.toMatchObject({
      cause: { code: 'ERR_ASHERAH_WRONG_PARTITION' },
    })
    const suffixes = ['eu-west-1', 'us-east-1']
    const last = step(west).withRecoveryRegionSuffixes(suffixes)
    suffixes.length = 0
    await using listed = last.build()
    expect(await listed.getSessionBytes('p').decrypt(record)).toEqual(bytes('x'))
    expect(new TextDecoder().decode(await listed.getSessionBytes('p').encrypt(bytes('x')))).toContain(
      '"_IK_p_service_product_us-west-2"',
    )
  })

  it('suffixes that are none are an InvalidConfigError', () => {
    const store = new InMemoryMetastoreImpl()
    for (const bad of [undefined, null, 'us-east-1', 5, {}]) {
      const last = step(store)
      const call = (): unknown => Reflect.apply(last.withRecoveryRegionSuffixes, last, [bad])
      expect(call).toThrow(InvalidConfigError)
      expect(call).toThrow('withRecoveryRegionSuffixes takes a list of suffixes')
    }
    for (const bad of [[''], [5], ['us-east-1', null]]) {
      const last = step(store)
      const call = (): unknown => Reflect.apply(last.withRecoveryRegionSuffixes, last, [bad]).build()
      expect(call).toThrow(InvalidConfigError)
    }
  })

  it('withKeySuffix takes a text, or the region of the client', async () => {
    const dynamo = () => DynamoDbMetastoreImpl.newBuilder('us-west-2')
    expect((await dynamo().build()).regionSuffix).toBeUndefined()
    expect((await dynamo().withKeySuffix().build()).regionSuffix).toBe('us-west-2')
    expect((await dynamo().withKeySuffix().withRegion('us-east-1').build()).regionSuffix).toBe('us-east-1')
    expect((await dynamo().withKeySuffix('blue').build()).regionSuffix).toBe('blue')
    expect((await dynamo().withKeySuffix('blue').withKeySuffix().build()).regionSuffix).toBe('us-west-2')
    const ado = (text: string) => AdoMetastoreImpl.newBuilder(text)
    for (const text of ['postgres://u:p@db.example/d', 'Server=db.example;Database=d;User ID=u;Password=p;']) {
      expect((await ado(text).withKeySuffix('us-west-2').build()).regionSuffix).toBe('us-west-2')
      expect((await ado(text).build()).regionSuffix).toBeUndefined()
    }
  })

  it('a key suffix that is none is an InvalidConfigError that names the step', async () => {
    const dynamo = DynamoDbMetastoreImpl.newBuilder('us-west-2')
    const ado = AdoMetastoreImpl.newBuilder('postgres://u:p@db.example/d')
    for (const builder of [dynamo, ado]) {
      for (const bad of ['', null, true, false, 5]) {
        const call = (): unknown => Reflect.apply(builder.withKeySuffix, builder, [bad])
        expect(call).toThrow(InvalidConfigError)
        expect(call).toThrow('withKeySuffix')
      }
    }
    for (const builder of [dynamo, ado]) {
      await expect(builder.withKeySuffix('\uD800').build()).rejects.toBeInstanceOf(InvalidConfigError)
    }
    expect(() => Reflect.apply(ado.withKeySuffix, ado, [])).toThrow('a database has no region of its own')
  })
})
