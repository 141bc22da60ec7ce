import { afterEach, describe, expect, it } from 'vitest'
import { type DataRowRecordJson, DecryptionError, type Session } from '../src/index.ts'
import {
  bytesOf,
  createPeer,
  createWorld,
  HOUR,
  parentOf,
  type Recording,
  recordEvents,
  SYSTEM_KEY_ID,
  type World,
} from './fakes.ts'
import { rejectionOf } from './harness.ts'

const partition = 'shopper-123'
const plaintext = bytesOf('4111 1111 1111 1111')

/** The record's wire form, to alter. */
async function wireOf(session: Session, bytes: Uint8Array = plaintext): Promise<DataRowRecordJson> {
  return JSON.parse(await session.encryptToJson(bytes))
}

describe('D-097 altered records', () => {
  const flip = (base64: string, bit: number): string => {
    const bytes = Buffer.from(base64, 'base64')
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    return bytes.toString('base64')
  }

  it('each bit of the key and of the data is authenticated; what fails is typed, and no key stays open', async () => {
    const world = createWorld()
    const session = world.factory.getSession(partition)
    const { Key, Data } = await wireOf(session, bytesOf('4111'))
    const kept = world.crypto.open
    for (let bit = 0; bit < 60 * 8; bit += 1) {
      const error = await rejectionOf(session.decrypt({ Key: { ...Key, Key: flip(Key.Key, bit) }, Data }))
      expect(error.code, `bit ${bit} of the key`).toBe('ERR_ASHERAH_DECRYPTION_FAILED')
    }
    for (let bit = 0; bit < 32 * 8; bit += 1) {
      const error = await rejectionOf(session.decrypt(JSON.stringify({ Key, Data: flip(Data, bit) })))
      expect(error.code, `bit ${bit} of the data`).toBe('ERR_ASHERAH_DECRYPTION_FAILED')
    }
    expect(world.crypto.open).toBe(kept)
    expect(await session.decrypt({ Key, Data })).toEqual(bytesOf('4111'))
  })

  it('each bit of the names: another partition, or a key that is not there; never a plaintext', async () => {
    const world = createWorld()
    const session = world.factory.getSession(partition)
    const { Key, Data } = await wireOf(session)
    const { KeyId, Created } = Key.ParentKeyMeta
    const alter = (ParentKeyMeta: { KeyId: string; Created: number }) =>
      rejectionOf(session.decrypt({ Key: { ...Key, ParentKeyMeta }, Data }))
    for (let bit = 0; bit < KeyId.length * 8; bit += 1) {
      const id = Buffer.from(KeyId)
      id.writeUInt8(id.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const error = await alter({ KeyId: id.toString('latin1'), Created })
      expect(error.code, `bit ${bit} of the id`).toBe('ERR_ASHERAH_WRONG_PARTITION')
    }
    for (let bit = 0; bit < 53; bit += 1) {
      const other = Number(BigInt(Created) ^ (1n << BigInt(bit)))
      const error = await alter({ KeyId, Created: other })
      expect(error, `bit ${bit} of the time`).toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND', created: other })
    }
  })

  it('parts of two records do not make a third', async () => {
    const session = createWorld().factory.getSession(partition)
    const one = await wireOf(session, bytesOf('one'))
    const two = await wireOf(session, bytesOf('two'))
    for (const mixed of [
      { Key: one.Key, Data: two.Data },
      { Key: { ...one.Key, Key: two.Key.Key }, Data: one.Data },
      { Key: one.Key, Data: one.Key.Key },
    ]) {
      const error = await rejectionOf(session.decrypt(mixed))
      expect(error.code).toBe('ERR_ASHERAH_DECRYPTION_FAILED')
      expect(error.message).toBe('the record was altered, or its parts belong to different records')
    }
  })

  it('a record under a key of another time does not open with the latest one', async () => {
    const world = createWorld({ expireAfterMs: HOUR })
    const session = world.factory.getSession(partition)
    const old = await wireOf(session)
    world.clock.advance(2 * HOUR)
    const fresh = await wireOf(session)
    expect(fresh.Key.ParentKeyMeta.Created).toBeGreaterThan(old.Key.ParentKeyMeta.Created)
    const swapped = { Key: { ...old.Key, ParentKeyMeta: fresh.Key.ParentKeyMeta }, Data: old.Data }
    expect((await rejectionOf(session.decrypt(swapped))).code).toBe('ERR_ASHERAH_DECRYPTION_FAILED')
    expect(await session.decrypt(old)).toEqual(plaintext)
  })
})

/** One way for a decrypt to fail, and the error that says so. */
const causes: [string, string, (world: World, wire: DataRowRecordJson) => Promise<[World, DataRowRecordJson]>][] = [
  [
    'a record of another partition',
    'ERR_ASHERAH_WRONG_PARTITION',
    async (world) => [world, await wireOf(world.factory.getSession('another'))],
  ],
  [
    'a missing intermediate key',
    'ERR_ASHERAH_KEY_NOT_FOUND',
    async (world, { Key, Data }) => {
      const { KeyId, Created } = Key.ParentKeyMeta
      return [world, { Key: { ...Key, ParentKeyMeta: { KeyId, Created: Created - 60 } }, Data }]
    },
  ],
  [
    'a missing system key',
    'ERR_ASHERAH_KEY_NOT_FOUND',
    async (world, wire) => {
      for (const row of world.rows.of(SYSTEM_KEY_ID)) world.rows.remove(row)
      return [createPeer(world), wire]
    },
  ],
  [
    'an altered payload',
    'ERR_ASHERAH_DECRYPTION_FAILED',
    async (world, { Key }) => [world, { Key, Data: Buffer.alloc(40).toString('base64') }],
  ],
  [
    'an altered data row key',
    'ERR_ASHERAH_DECRYPTION_FAILED',
    async (world, { Key, Data }) => [world, { Key: { ...Key, Key: Buffer.alloc(60).toString('base64') }, Data }],
  ],
  [
    'an altered intermediate key',
    'ERR_ASHERAH_DECRYPTION_FAILED',
    async (world, wire) => {
      const { KeyId: keyId, Created: created } = wire.Key.ParentKeyMeta
      world.rows.edit({ keyId, created }, { encryptedKey: new Uint8Array(60) })
      return [createPeer(world), wire]
    },
  ],
]
const otherCauses: typeof causes = [
  ['a malformed record', 'ERR_ASHERAH_INVALID_INPUT', async (world, { Key }) => [world, { Key, Data: '' }]],
  [
    'a corrupt row',
    'ERR_ASHERAH_CORRUPT_RECORD',
    async (world, wire) => {
      const { KeyId: keyId, Created: created } = wire.Key.ParentKeyMeta
      world.rows.edit({ keyId, created }, { encryptedKey: new Uint8Array(59) })
      return [createPeer(world), wire]
    },
  ],
  [
    'an intermediate key without a parent',
    'ERR_ASHERAH_CORRUPT_RECORD',
    async (world, wire) => {
      world.rows.orphan({ keyId: wire.Key.ParentKeyMeta.KeyId, created: wire.Key.ParentKeyMeta.Created })
      return [createPeer(world), wire]
    },
  ],
  [
    'a metastore that fails',
    'ERR_ASHERAH_METASTORE',
    async (world, wire) => {
      const peer = createPeer(world)
      peer.metastore.before = () => {
        throw new Error('the database is down')
      }
      return [peer, wire]
    },
  ],
  [
    'a KMS that fails',
    'ERR_ASHERAH_KMS',
    async (world, wire) => {
      world.kms.before = () => {
        throw new Error('the KMS is down')
      }
      return [createPeer(world), wire]
    },
  ],
  [
    'a tag that fails inside the KMS',
    'ERR_ASHERAH_KMS',
    async (world, wire) => {
      world.kms.before = () => {
        throw new DecryptionError('the tag of the blob does not verify')
      }
      return [createPeer(world), wire]
    },
  ],
]

describe('each cause has its code', () => {
  it.each([...causes, ...otherCauses])('%s: %s', async (_what, code, prepare) => {
    const world = createWorld()
    const [{ factory }, wire] = await prepare(world, await wireOf(world.factory.getSession(partition)))
    const error = await rejectionOf(factory.getSession(partition).decrypt(wire))
    expect(error.code).toBe(code)
    expect(error.message).not.toBe('')
    expect(error.stack).toContain(error.name)
  })
})

describe('uniformErrors', () => {
  let events: Recording | undefined
  afterEach(() => {
    events?.stop()
    events = undefined
  })

  /** A world like another, with uniform errors and nothing cached. */
  const uniform = (world: World): World => createPeer(world, {}, { uniformErrors: true })

  it('D-106 one code, name and message, no cause and no other property, in every form; the detail is a warning', async () => {
    const shown = new Set<string>()
    const details: string[] = []
    for (const [_what, code, prepare] of causes) {
      const world = createWorld()
      const [prepared, wire] = await prepare(world, await wireOf(world.factory.getSession(partition)))
      const { factory } = uniform(prepared)
      for (const form of [wire, JSON.stringify(wire), bytesOf(JSON.stringify(wire))]) {
        events = recordEvents()
        const error = await rejectionOf(factory.getSession(partition).decrypt(form))
        events.stop()
        const own = Object.getOwnPropertyNames(error).filter((name) => name !== 'stack')
        const shape = { code: error.code, name: error.name, message: error.message, own, kind: error.constructor.name }
        shown.add(JSON.stringify(shape))
        expect(error.cause).toBeUndefined()
        expect(events.warning).toHaveLength(1)
        expect(events.warning[0]).toMatchObject({ code: 'DECRYPT_FAILED', cause: { code } })
        details.push(events.warning[0]?.message ?? '')
      }
    }
    expect(shown.size).toBe(1)
    expect([...shown][0]).toContain('ERR_ASHERAH_DECRYPTION_FAILED')
    // An altered payload and an altered data row key are told apart by nobody.
    expect(new Set(details).size).toBe(causes.length - 1)
  })

  it('D-106 holds for the sessions that convert and for load', async () => {
    const world = createWorld()
    const foreign = await wireOf(world.factory.getSession('another'))
    const { factory } = uniform(world)
    const persistence = { load: async () => foreign }
    const errors = await Promise.all([
      rejectionOf(factory.getSession(partition).load('key', persistence)),
      rejectionOf(factory.getSessionBytesAsJson(partition).decrypt(foreign)),
      rejectionOf(factory.getSessionJsonAsJson(partition).load('key', persistence)),
      rejectionOf(factory.getSessionJson(partition).decrypt(bytesOf(JSON.stringify(foreign)))),
    ])
    for (const error of errors) {
      expect([error.code, error.cause]).toEqual(['ERR_ASHERAH_DECRYPTION_FAILED', undefined])
      expect(error.message).toBe('the record cannot be decrypted in this session')
    }
  })

  it.each(otherCauses)('leaves %s as it is: %s', async (_what, code, prepare) => {
    const world = createWorld()
    const [prepared, wire] = await prepare(world, await wireOf(world.factory.getSession(partition)))
    events = recordEvents()
    const { metastore } = prepared
    const { factory } = createWorld({}, { metastore, kms: prepared.kms, clock: world.clock }, { uniformErrors: true })
    expect((await rejectionOf(factory.getSession(partition).decrypt(wire))).code).toBe(code)
    expect(events.warning).toEqual([])
  })

  it('says nothing of encrypt', async () => {
    const world = createWorld({}, {}, { uniformErrors: true })
    const record = await world.factory.getSession(partition).encrypt(plaintext)
    world.rows.edit(parentOf(record), { parentKeyMeta: { keyId: '_SK_other', created: 60 } })
    const { factory } = uniform(world)
    expect((await rejectionOf(factory.getSession(partition).encrypt(plaintext))).code).toBe(
      'ERR_ASHERAH_WRONG_PARTITION',
    )
  })

  it('is off by default', async () => {
    const world = createWorld()
    const foreign = await wireOf(world.factory.getSession('another'))
    expect((await rejectionOf(world.factory.getSession(partition).decrypt(foreign))).code).toBe(
      'ERR_ASHERAH_WRONG_PARTITION',
    )
  })
})
