import type { EnvelopeKeyRecord, Metastore } from '@asherah/core/backend'
import { createFakeClock, createMetastoreFaults, faultyMetastore, metastoreConformance } from '@asherah/testing'
import { describe, expect, test } from 'vitest'
import { localMetastore } from './local-metastore.ts'

const KEY: EnvelopeKeyRecord = {
  keyId: '_SK_s_p',
  created: 1_000,
  encryptedKey: new Uint8Array(60).fill(3),
  revoked: false,
}
const LATER: EnvelopeKeyRecord = { ...KEY, created: 2_000 }

metastoreConformance({
  name: 'a faulty metastore without faults',
  create: () => faultyMetastore(localMetastore([]), createMetastoreFaults()),
  offers: ['list', 'markRevoked', 'check', 'close'],
})

const put = (metastore: Metastore, record: EnvelopeKeyRecord): Promise<boolean> =>
  metastore.store(record.keyId, record.created, record)

describe('a faulty metastore', () => {
  test('fails a call without making it, and counts it', async () => {
    const inner = localMetastore([])
    const faults = createMetastoreFaults()
    const metastore = faultyMetastore(inner, faults)
    faults.store.fail({ nth: 2, error: new Error('disk on fire') })
    expect(await put(metastore, KEY)).toBe(true)
    await expect(put(metastore, LATER)).rejects.toThrow('disk on fire')
    expect(await inner.load(LATER.keyId, LATER.created)).toBe(null)
    expect(await put(metastore, LATER)).toBe(true)
    expect([faults.store.calls, faults.load.calls]).toEqual([3, 0])
  })

  test('loses the answer of a call that it made', async () => {
    const inner = localMetastore([])
    const faults = createMetastoreFaults()
    const metastore = faultyMetastore(inner, faults)
    faults.store.loseAnswer({ nth: 1 })
    await expect(put(metastore, KEY)).rejects.toThrow('injected: the answer of store is lost')
    expect(await inner.load(KEY.keyId, KEY.created)).toEqual(KEY)
    expect(await put(metastore, KEY)).toBe(false)
  })

  test('fails every call when told no number, and only the calls that `when` accepts', async () => {
    const faults = createMetastoreFaults()
    const metastore = faultyMetastore(localMetastore([]), faults)
    faults.load.fail({ when: (keyId) => keyId === '_SK_bad_p' })
    for (let i = 0; i < 3; i++) await expect(metastore.load('_SK_bad_p', 1)).rejects.toThrow('injected')
    expect(await metastore.load('_SK_s_p', 1)).toBe(null)
    faults.reset()
    expect(await metastore.load('_SK_bad_p', 1)).toBe(null)
    expect(faults.load.calls).toBe(1)
  })

  test('hides rows for a time of the clock, and shows the one before them (D-053)', async () => {
    const clock = createFakeClock()
    const faults = createMetastoreFaults({ clock })
    const metastore = faultyMetastore(localMetastore([]), faults)
    await put(metastore, KEY)
    faults.lag(200)
    await put(metastore, LATER)
    expect(await metastore.load(LATER.keyId, LATER.created)).toBe(null)
    expect(await metastore.loadLatest(KEY.keyId)).toEqual(KEY)
    clock.advance(199)
    expect(await metastore.loadLatest(KEY.keyId)).toEqual(KEY)
    expect(await put(metastore, LATER)).toBe(false)
    clock.advance(1)
    expect(await metastore.load(LATER.keyId, LATER.created)).toEqual(LATER)
    expect(await metastore.loadLatest(KEY.keyId)).toEqual(LATER)
  })

  test('alters the answer, and leaves the row', async () => {
    const inner = localMetastore([])
    const faults = createMetastoreFaults()
    const metastore = faultyMetastore(inner, faults)
    await put(metastore, KEY)
    faults.load.corrupt((record) => record && { ...record, keyId: 'another' })
    expect((await metastore.load(KEY.keyId, KEY.created))?.keyId).toBe('another')
    expect(await inner.load(KEY.keyId, KEY.created)).toEqual(KEY)
  })

  test('holds calls until they are released, and lets an aborted one go', async () => {
    const faults = createMetastoreFaults()
    const metastore = faultyMetastore(localMetastore([]), faults)
    const hold = faults.store.hold()
    let done = false
    const held = put(metastore, KEY).finally(() => {
      done = true
    })
    await hold.reached
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(done).toBe(false)
    const controller = new AbortController()
    const aborted = metastore.store(LATER.keyId, LATER.created, LATER, { signal: controller.signal })
    controller.abort(new Error('gone'))
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: new Error('gone') })
    hold.release()
    expect(await held).toBe(true)
    expect(await metastore.load(LATER.keyId, LATER.created)).toBe(null)
  })

  test('delays a call, unless its signal aborts', async () => {
    const faults = createMetastoreFaults()
    const metastore = faultyMetastore(localMetastore([]), faults)
    faults.load.delay(15)
    const order: string[] = []
    const slow = metastore.load('_SK_s_p', 1).then(() => order.push('load'))
    await metastore.loadLatest('_SK_s_p').then(() => order.push('loadLatest'))
    await slow
    expect(order).toEqual(['loadLatest', 'load'])
    faults.loadLatest.delay(60_000)
    const signal = AbortSignal.timeout(5)
    await expect(metastore.loadLatest('_SK_s_p', { signal })).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  })

  test('has faults for list, markRevoked and check too', async () => {
    const faults = createMetastoreFaults()
    const metastore = faultyMetastore(localMetastore([]), faults)
    await put(metastore, KEY)
    faults.list.corrupt((record) => ({ ...record, revoked: true }))
    const rows: EnvelopeKeyRecord[] = []
    for await (const row of metastore.list?.() ?? []) rows.push(row)
    expect(rows).toEqual([{ ...KEY, revoked: true }])
    faults.markRevoked.fail()
    await expect(metastore.markRevoked?.(KEY.keyId, KEY.created)).rejects.toThrow('injected')
    faults.check.fail()
    await expect(metastore.check?.()).rejects.toThrow('injected')
  })

  test('has the optional methods of the metastore, and no others', () => {
    const { load, loadLatest, store } = localMetastore([])
    const few = faultyMetastore({ load, loadLatest, store, regionSuffix: 'r1' }, createMetastoreFaults())
    expect(Object.keys(few).toSorted()).toEqual(['load', 'loadLatest', 'regionSuffix', 'store'])
  })

  test('refuses a misspelt option of a fault', () => {
    const faults = createMetastoreFaults()
    const options = { times: 1, nht: 2 }
    expect(() => faults.load.fail(options)).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG' }))
    expect(() => faults.load.fail({ nth: 0 })).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_INPUT' }))
  })
})
