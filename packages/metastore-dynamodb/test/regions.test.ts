import { describeService } from '@asherah/testing'
import { startDynamoDbLocal, startHttpFaultProxy } from '@asherah/testing/services'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decryptOnce, encryptOnce, factoryOf, loseRow, parentOf, replication } from './regions.ts'
import { createTable, type TestTable } from './tables.ts'

// DynamoDB Local keeps the tables of each region apart: two replicas of one global table, joined by the test.
describeService('two regions', await startDynamoDbLocal(), (endpoint) => {
  let east: TestTable
  let west: TestTable
  let sync: ReturnType<typeof replication>
  beforeEach(async () => {
    east = await createTable(endpoint, { region: 'us-east-1' })
    west = await createTable(endpoint, { region: 'us-west-2', tableName: east.tableName })
    sync = replication(east, west)
  })
  afterEach(async () => {
    await east.drop()
    await west.drop()
  })

  const suffixed = { regionSuffix: true } as const
  const recovery = { recoveryRegionSuffixes: ['us-east-1', 'us-west-2'] }

  test('the stand-in does keep regions apart', async () => {
    await encryptOnce(east.metastore(), 'x')
    expect(await east.items()).toHaveLength(2)
    expect(await west.items()).toEqual([])
  })

  describe('with region suffixes', () => {
    test('D-034 both regions make keys in the same minute, under one table: none is lost, and each writes under its own', async () => {
      const byEast = await encryptOnce(east.metastore(suffixed), 'by east', recovery)
      const byWest = await encryptOnce(west.metastore(suffixed), 'by west', recovery)
      expect(parentOf(byEast)).toEqual({ KeyId: '_IK_shopper_billing_shop_us-east-1', Created: 1_795_251_360 })
      expect(parentOf(byWest)).toEqual({ KeyId: '_IK_shopper_billing_shop_us-west-2', Created: 1_795_251_360 })
      await sync.catchUp(west)
      for (const side of [east, west]) {
        const metastore = side.metastore(suffixed)
        // One factory for all, as the hazard has it: a cache keyed by `created` alone would mix the two keys up.
        await using factory = factoryOf(metastore, recovery)
        using session = factory.getSession('shopper')
        expect(Buffer.from(await session.decrypt(byEast)).toString()).toBe('by east')
        expect(Buffer.from(await session.decrypt(byWest)).toString()).toBe('by west')
        const again = await session.encryptToJson(Buffer.from('again'))
        expect(parentOf(again).KeyId).toBe(`_IK_shopper_billing_shop_${side.region}`)
      }
    })

    test('lag: a record that is here before its key is a KeyNotFoundError, and opens once the key has arrived', async () => {
      const byWest = await encryptOnce(west.metastore(suffixed), 'by west', recovery)
      const metastore = east.metastore(suffixed)
      const early = decryptOnce(metastore, byWest, { ...recovery, selfHealRecoveredKeys: true })
      await expect(early).rejects.toMatchObject({
        code: 'ERR_ASHERAH_KEY_NOT_FOUND',
        keyId: '_IK_shopper_billing_shop_us-west-2',
      })
      expect(await east.items()).toEqual([])
      await sync.catchUp(west)
      expect(await decryptOnce(metastore, byWest, recovery)).toBe('by west')
    })

    test('a region that is not listed is not read', async () => {
      const byWest = await encryptOnce(west.metastore(suffixed), 'by west')
      await sync.catchUp(west)
      const call = decryptOnce(east.metastore(suffixed), byWest, { recoveryRegionSuffixes: ['eu-west-1'] })
      await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_WRONG_PARTITION' })
    })

    test('a lost region: the other one reads all of its records, and goes on under keys of its own', async () => {
      const before = await encryptOnce(east.metastore(suffixed), 'before', recovery)
      await sync.catchUp(east)
      const outage = await startHttpFaultProxy(endpoint.url)
      outage.setFault({ kind: 'hang' })
      const lost = east.metastore({ ...suffixed, endpoint: outage.url, attemptTimeoutMs: 100, timeoutMs: 300 })
      await expect(encryptOnce(lost, 'x', recovery)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
      await expect(decryptOnce(lost, before, recovery)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
      const metastore = west.metastore(suffixed)
      expect(await decryptOnce(metastore, before, recovery)).toBe('before')
      const during = await encryptOnce(metastore, 'during', recovery)
      expect(parentOf(during).KeyId).toBe('_IK_shopper_billing_shop_us-west-2')
      // East is back: nothing has to be repaired.
      await outage.close()
      await sync.catchUp(west)
      expect(await decryptOnce(east.metastore(suffixed), during, recovery)).toBe('during')
    })

    test('D-060 D-061 each region starts beside the other, in any order, and adds no row but keys', async () => {
      for (const side of [east, west, east]) await encryptOnce(side.metastore(suffixed), 'x', recovery)
      await sync.catchUp(west)
      const ids = (await east.items()).map((item) => item.Id?.S).toSorted()
      expect(ids).toEqual([
        '_IK_shopper_billing_shop_us-east-1',
        '_IK_shopper_billing_shop_us-west-2',
        '_SK_billing_shop_us-east-1',
        '_SK_billing_shop_us-west-2',
      ])
    })
  })

  test('D-059 suffixes turned on later: what was written without still opens, and new keys have the suffix', async () => {
    const bare = await encryptOnce(east.metastore(), 'bare')
    const metastore = east.metastore(suffixed)
    expect(await decryptOnce(metastore, bare)).toBe('bare')
    const after = await encryptOnce(metastore, 'after')
    expect(parentOf(after).KeyId).toBe('_IK_shopper_billing_shop_us-east-1')
    // And turned off again, with the suffix listed.
    expect(await decryptOnce(east.metastore(), after, { recoveryRegionSuffixes: ['us-east-1'] })).toBe('after')
  })

  test('without suffixes the last writer takes the other region’s key: why check() warns of it', async () => {
    const byEast = await encryptOnce(east.metastore(), 'by east')
    const byWest = await encryptOnce(west.metastore(), 'by west')
    expect(parentOf(byEast)).toEqual(parentOf(byWest))
    await sync.catchUp(west)
    expect(await decryptOnce(west.metastore(), byWest)).toBe('by west')
    await expect(decryptOnce(east.metastore(), byEast)).rejects.toMatchObject({ code: 'ERR_ASHERAH_DECRYPTION_FAILED' })
  })

  describe('recovery of a key whose row is missing', () => {
    const named = { KeyId: '_IK_shopper_billing_shop_us-east-1', Created: 1_795_251_360 }

    /** A record of east whose key is only under the bare id: the table was copied from one without suffixes. */
    async function recordOfCopiedTable(): Promise<string> {
      const bare = await encryptOnce(east.metastore(), 'copied')
      const record = JSON.parse(bare)
      record.Key.ParentKeyMeta.KeyId = named.KeyId
      return JSON.stringify(record)
    }

    test('it is found under the bare id; a read alone writes nothing', async () => {
      const record = await recordOfCopiedTable()
      const before = await east.items()
      const metastore = east.metastore(suffixed)
      await expect(decryptOnce(metastore, record)).rejects.toMatchObject({
        code: 'ERR_ASHERAH_KEY_NOT_FOUND',
        keyId: named.KeyId,
      })
      expect(await decryptOnce(metastore, record, recovery)).toBe('copied')
      expect(await east.items()).toEqual(before)
    })

    test('self-heal copies the row to where the record looks; the other region gets it by replication', async () => {
      const record = await recordOfCopiedTable()
      const healing = { ...recovery, selfHealRecoveredKeys: true }
      expect(await decryptOnce(east.metastore(suffixed), record, healing)).toBe('copied')
      const [found, healed] = await Promise.all([
        east.metastore().load('_IK_shopper_billing_shop', named.Created),
        east.metastore().load(named.KeyId, named.Created),
      ])
      expect(healed).toEqual({ ...found, keyId: named.KeyId })
      // From now on the plain read finds it, in both regions.
      expect(await decryptOnce(east.metastore(suffixed), record)).toBe('copied')
      await sync.catchUp(east)
      expect(await decryptOnce(west.metastore(suffixed), record, recovery)).toBe('copied')
    })

    test('both regions heal at once: the rows are the same, whichever write is the later', async () => {
      const record = await recordOfCopiedTable()
      await sync.catchUp(east)
      const healing = { ...recovery, selfHealRecoveredKeys: true }
      const sides = [east, west]
      expect(await Promise.all(sides.map((side) => decryptOnce(side.metastore(suffixed), record, healing)))).toEqual([
        'copied',
        'copied',
      ])
      const rowOf = (side: TestTable) => side.metastore().load(named.KeyId, named.Created)
      expect(await rowOf(east)).toEqual(await rowOf(west))
      await sync.catchUp(west)
      for (const side of sides) expect(await decryptOnce(side.metastore(suffixed), record, recovery)).toBe('copied')
    })

    test('D-009 a record with another time heals nothing', async () => {
      const record = JSON.parse(await recordOfCopiedTable())
      record.Key.ParentKeyMeta.Created += 60
      const before = await east.items()
      const call = decryptOnce(east.metastore(suffixed), JSON.stringify(record), {
        ...recovery,
        selfHealRecoveredKeys: true,
      })
      await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND' })
      expect(await east.items()).toEqual(before)
    })

    test('a healing that may not write is no failure of the read', async () => {
      const record = await recordOfCopiedTable()
      const readOnly = await startHttpFaultProxy(endpoint.url)
      readOnly.setFault(({ headers }) =>
        String(headers['x-amz-target']).endsWith('.PutItem')
          ? { kind: 'awsError', type: 'AccessDeniedException' }
          : undefined,
      )
      const metastore = east.metastore({ ...suffixed, endpoint: readOnly.url })
      expect(await decryptOnce(metastore, record, { ...recovery, selfHealRecoveredKeys: true })).toBe('copied')
      await readOnly.close()
    })

    test('a table restored from an old backup: the newer key is missing, and everything else opens', async () => {
      const record = await encryptOnce(east.metastore(suffixed), 'new', recovery)
      const old = await encryptOnce(east.metastore(suffixed), 'old', recovery, 'older-shopper')
      await loseRow(east, named.KeyId, named.Created)
      const metastore = east.metastore(suffixed)
      await expect(decryptOnce(metastore, record, recovery)).rejects.toMatchObject({
        code: 'ERR_ASHERAH_KEY_NOT_FOUND',
      })
      expect(await decryptOnce(metastore, old, recovery, 'older-shopper')).toBe('old')
    })
  })

  test('D-061 a read-only service decrypts, and its encrypt fails by name', async () => {
    const record = await encryptOnce(east.metastore(), 'x')
    const readOnly = await startHttpFaultProxy(endpoint.url)
    readOnly.setFault(({ headers }) =>
      String(headers['x-amz-target']).endsWith('.PutItem')
        ? { kind: 'awsError', type: 'AccessDeniedException' }
        : undefined,
    )
    const metastore = east.metastore({ endpoint: readOnly.url })
    expect(await decryptOnce(metastore, record)).toBe('x')
    await expect(encryptOnce(metastore, 'y', {}, 'new-shopper')).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
    })
    await readOnly.close()
  })
})
