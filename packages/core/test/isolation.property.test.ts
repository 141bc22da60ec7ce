import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type DataRowRecordJson,
  InvalidConfigError,
  InvalidInputError,
  type KeyManagementService,
  SessionFactory,
  type SessionFactoryOptions,
} from '../src/index.ts'
import {
  bytesOf,
  createFakeKms,
  createFakeMetastore,
  createFakeRows,
  createPeer,
  createWorld,
  type FakeMetastore,
  type FakeRows,
  HOUR,
  intermediateKeyId,
  parentOf,
  SYSTEM_KEY_ID,
  textOf,
  type World,
} from './fakes.ts'
import { rejectionOf, thrownBy } from './harness.ts'

/** One region's or service's factory on a shared store, with its calls counted. */
interface Deployment {
  readonly factory: SessionFactory
  readonly metastore: FakeMetastore
}

function deploy(
  rows: FakeRows,
  kms: KeyManagementService,
  names: Partial<SessionFactoryOptions> & { readonly regionSuffix?: string | undefined },
): Deployment {
  const { regionSuffix, ...options } = names
  const metastore = createFakeMetastore({ rows, ...(regionSuffix !== undefined && { regionSuffix }) })
  const factory = new SessionFactory({ service: 's', product: 'p', metastore, kms, ...options })
  return { factory, metastore }
}

describe('a record of another partition', () => {
  it.each([
    ['D-001 with a region suffix', { regionSuffix: 'r1' }],
    ['D-002 without a suffix', {}],
    ['D-002 with recovery', { recoveryRegionSuffixes: [] }],
    ['D-002 with recovery suffixes', { recoveryRegionSuffixes: ['r1', 'r2'] }],
    ['D-001 with both', { regionSuffix: 'r1', recoveryRegionSuffixes: ['r2'] }],
    ['D-001 with a shared key cache', { regionSuffix: 'r1', policy: { sharedIntermediateKeyCache: true } }],
    ['D-001 with a session cache', { policy: { cacheSessions: true, sharedIntermediateKeyCache: true } }],
  ])('%s: u cannot read u_s_p_x, and nothing is loaded', async (_what, names) => {
    const kms = createFakeKms()
    const { factory, metastore } = deploy(createFakeRows(), kms, names)
    const record = await factory.getSession('u_s_p_x').encrypt(bytesOf('of another'))
    metastore.forget()
    const before = kms.decrypted.length
    for (const form of [record, JSON.stringify(record), bytesOf(JSON.stringify(record))]) {
      const error = await rejectionOf(factory.getSession('u').decrypt(form))
      expect(error.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    }
    expect(metastore.calls).toEqual([])
    expect(kms.decrypted.length).toBe(before)
    expect(textOf(await factory.getSession('u_s_p_x').decrypt(record))).toBe('of another')
  })

  it('D-008 identity is byte for byte: another normal form or case is another partition', async () => {
    const { factory, metastore } = deploy(createFakeRows(), createFakeKms(), {})
    for (const [mine, theirs] of [
      ['\u00e9', 'e\u0301'],
      ['user', 'User'],
      ['user', 'user '],
      ['\u212b', '\u00c5'],
      ['ß', 'ss'],
      ['a', '\uff41'],
    ] as const) {
      const record = await factory.getSession(mine).encrypt(bytesOf('mine'))
      metastore.forget()
      const error = await rejectionOf(factory.getSession(theirs).decrypt(record))
      expect(error.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
      expect(metastore.calls).toEqual([])
    }
  })

  // Few letters and many separators: ids overlap in every way they can.
  const part = fc.string({ unit: fc.constantFrom('_', '_', 's', 'p', 'u', 'é'), minLength: 1, maxLength: 5 })
  const suffix = fc.oneof(part, fc.constantFrom('x_s_p', '_s_p', 's_p', 'u_s_p_u'))

  it('is never read, whatever service, product, partitions and suffixes are (property)', async () => {
    const seen = { run: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          service: fc.oneof(part, fc.constant('s')),
          product: fc.oneof(part, fc.constant('p')),
          own: fc.option(suffix, { nil: undefined }),
          recovery: fc.option(fc.array(suffix, { maxLength: 3 }), { nil: undefined }),
          shared: fc.boolean(),
        }),
        fc.uniqueArray(part, { minLength: 2, maxLength: 4 }),
        async ({ service, product, own, recovery, shared }, partitions) => {
          let deployment: Deployment
          try {
            deployment = deploy(createFakeRows(), createFakeKms(), {
              service,
              product,
              regionSuffix: own,
              ...(recovery !== undefined && { recoveryRegionSuffixes: recovery }),
              policy: { sharedIntermediateKeyCache: shared },
            })
          } catch (error) {
            if (!(error instanceof InvalidConfigError)) throw error
            seen.refused += 1
            return
          }
          seen.run += 1
          const { factory, metastore } = deployment
          const sessions = partitions.map((partitionId) => factory.getSession(partitionId))
          for (const writer of sessions) {
            const record = await writer.encrypt(bytesOf(`of ${writer.partitionId}`))
            metastore.forget()
            for (const reader of sessions) {
              if (reader === writer) {
                expect(textOf(await reader.decrypt(record))).toBe(`of ${writer.partitionId}`)
              } else {
                const error = await rejectionOf(reader.decrypt(JSON.stringify(record)))
                expect(error.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
              }
            }
            expect(metastore.calls).toEqual([])
          }
          await factory.close()
        },
      ),
      { numRuns: 300 },
    )
    expect(seen.run).toBeGreaterThan(100)
    expect(seen.refused).toBeGreaterThan(5)
  })

  it('is never read in another region either; its own is (property)', async () => {
    const region = fc.option(fc.constantFrom('r1', 'r2', 'r_1', '1', 's_p1'), { nil: undefined })
    const near = fc.string({ unit: fc.constantFrom('_', 's', 'p', 'u', 'r', '1'), minLength: 1, maxLength: 8 })
    let refused = 0
    await fc.assert(
      fc.asyncProperty(region, region, near, near, async (from, to, mine, theirs) => {
        fc.pre(mine !== theirs)
        const rows = createFakeRows()
        const kms = createFakeKms()
        const recoveryRegionSuffixes = ['r1', 'r2', 'r_1', '1', 's_p1']
        const writer = deploy(rows, kms, { regionSuffix: from, recoveryRegionSuffixes })
        const reader = deploy(rows, kms, { regionSuffix: to, recoveryRegionSuffixes })
        const record = await writer.factory.getSession(mine).encrypt(bytesOf('mine'))
        expect(textOf(await reader.factory.getSession(mine).decrypt(record))).toBe('mine')
        reader.metastore.forget()
        const error = await rejectionOf(reader.factory.getSession(theirs).decrypt(record))
        expect(error.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
        expect(reader.metastore.calls).toEqual([])
        refused += 1
      }),
      { numRuns: 100 },
    )
    expect(refused).toBeGreaterThan(50)
  })
})

describe('a suffix that is not listed', () => {
  it("D-001 another region's record is refused until its suffix is listed", async () => {
    const rows = createFakeRows()
    const kms = createFakeKms()
    const east = deploy(rows, kms, { regionSuffix: 'east' })
    const record = await east.factory.getSession('u').encrypt(bytesOf('from the east'))
    const west = deploy(rows, kms, { regionSuffix: 'west' })
    const error = await rejectionOf(west.factory.getSession('u').decrypt(record))
    expect(error.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    expect(west.metastore.calls).toEqual([])
    const told = deploy(rows, kms, { regionSuffix: 'west', recoveryRegionSuffixes: ['east'] })
    expect(textOf(await told.factory.getSession('u').decrypt(record))).toBe('from the east')
  })
})

describe('D-003 service and partition that give one id', () => {
  const twins = () => {
    const rows = createFakeRows()
    const kms = createFakeKms()
    return {
      rows,
      long: deploy(rows, kms, { service: 'b_c' }), // partition a
      short: deploy(rows, kms, { service: 'c' }), // partition a_b
    }
  }

  it("decrypt refuses a key under the other service's system key, and the KMS is not asked", async () => {
    const { long, short } = twins()
    const record = await long.factory.getSession('a').encrypt(bytesOf('of b_c'))
    expect(parentOf(record).keyId).toBe('_IK_a_b_c_p')
    const error = await rejectionOf(short.factory.getSession('a_b').decrypt(record))
    expect(error.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    expect(short.metastore.count('load', '_SK_')).toBe(0)
  })

  it('encrypt does not make a key beside it, whether it is valid, expired or revoked', async () => {
    const { rows, long, short } = twins()
    await long.factory.getSession('a').encrypt(bytesOf('of b_c'))
    const session = short.factory.getSession('a_b')
    const before = rows.all().length
    expect((await rejectionOf(session.encrypt(bytesOf('of c')))).code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    const [key] = rows.of('_IK_a_b_c_p')
    if (key === undefined) throw new Error('there is no key')
    rows.revoke(key)
    expect((await rejectionOf(session.encrypt(bytesOf('of c')))).code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    expect(rows.all().length).toBe(before)
  })

  it('strictIds refuses the ambiguous service at construction', () => {
    const build = (service: string) => deploy(createFakeRows(), createFakeKms(), { service, strictIds: true }).factory
    const error = thrownBy(() => build('b_c'))
    expect(error.code).toBe('ERR_ASHERAH_INVALID_CONFIG')
    expect(error.message).toContain('b_c')
    expect(() => build('c')).not.toThrow()
  })
})

describe('rows that are not what was asked for', () => {
  it('D-005 a store that folds case gives CorruptRecordError, not shared keys', async () => {
    const rows = createFakeRows()
    const folding = createFakeMetastore({ rows })
    const fold = (keyId: string): string =>
      rows.all().find((row) => row.keyId.toLowerCase() === keyId.toLowerCase())?.keyId ?? keyId
    const { load, loadLatest } = folding
    folding.load = (keyId, created, call) => load(fold(keyId), created, call)
    folding.loadLatest = (keyId, call) => loadLatest(fold(keyId), call)
    const factory = new SessionFactory({ service: 's', product: 'p', metastore: folding, kms: createFakeKms() })
    await factory.getSession('User').encrypt(bytesOf('of User'))
    const before = rows.all().length
    const error = await rejectionOf(factory.getSession('user').encrypt(bytesOf('of user')))
    expect(error.code).toBe('ERR_ASHERAH_CORRUPT_RECORD')
    expect(error.message).toContain('case')
    expect(rows.all().length).toBe(before)
  })

  it('D-005 a row of another created is corrupt too', async () => {
    const world = createWorld()
    const record = await world.factory.getSession('u').encrypt(bytesOf('x'))
    const peer = createPeer(world)
    const { load } = peer.metastore
    peer.metastore.load = async (keyId, created, call) => {
      const row = await load(keyId, created, call)
      return row && { ...row, created: created + 1 }
    }
    const error = await rejectionOf(peer.factory.getSession('u').decrypt(record))
    expect(error.code).toBe('ERR_ASHERAH_CORRUPT_RECORD')
  })

  it.each([
    ['bytes', { unit: 'bytes', length: 30 }, 'é'.repeat(9), 'é'.repeat(8)],
    ['characters', { unit: 'codePoints', length: 30 }, '🛒'.repeat(18), '🛒'.repeat(17)],
    ['UTF-16 units', { unit: 'utf16', length: 30 }, '🛒'.repeat(9), '🛒'.repeat(8)],
  ] as const)(
    'D-006 an id over the limit of %s is refused before anything is written',
    async (unit, maxKeyId, long, fits) => {
      const metastore = createFakeMetastore({ maxKeyId })
      const kms = createFakeKms()
      const factory = new SessionFactory({ service: 'svc', product: 'prod', metastore, kms })
      const error = thrownBy(() => factory.getSession(long))
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toContain(unit)
      expect(error.message).toContain('30')
      expect(metastore.calls).toEqual([])
      expect(kms.encrypted).toEqual([])
      await expect(factory.getSession(fits).encrypt(bytesOf('x'))).resolves.toBeDefined()
    },
  )

  it('D-006 the suffix counts', () => {
    const maxKeyId = { unit: 'bytes', length: 14 } as const
    const build = (metastore: FakeMetastore) =>
      new SessionFactory({ service: 'svc', product: 'prod', metastore, kms: createFakeKms() })
    expect(() => build(createFakeMetastore({ maxKeyId })).getSession('u')).not.toThrow()
    expect(() => build(createFakeMetastore({ maxKeyId, regionSuffix: 'r' })).getSession('u')).toThrow(/16 bytes/)
  })

  it('D-006 an SQL column of 255 characters, a partition of 300', () => {
    const metastore = createFakeMetastore({ maxKeyId: { unit: 'codePoints', length: 255 } })
    const factory = new SessionFactory({ service: 'svc', product: 'prod', metastore, kms: createFakeKms() })
    expect(() => factory.getSession('x'.repeat(300))).toThrow(/255/)
    expect(() => factory.getSession('x'.repeat(255 - intermediateKeyId('').length))).not.toThrow()
  })
})

describe('altered names of keys', () => {
  const wireOf = async (world: World): Promise<DataRowRecordJson> => {
    const session = world.factory.getSessionBytesAsJson('u')
    return session.encrypt(bytesOf('x'))
  }

  it('D-009 a record whose parent is dated ahead is refused, writes nothing, and stops no rotation', async () => {
    for (const recovery of [false, true]) {
      const options = recovery ? { recoveryRegionSuffixes: ['r1'], selfHealRecoveredKeys: true } : {}
      const world = createWorld({ expireAfterMs: HOUR }, {}, options)
      const { Key, Data } = await wireOf(world)
      const { KeyId, Created } = Key.ParentKeyMeta
      const tampered = { Key: { ...Key, ParentKeyMeta: { KeyId, Created: Created + 1e9 } }, Data }
      const before = world.rows.all()
      for (const { factory } of [world, createPeer(world, {}, options)]) {
        const error = await rejectionOf(factory.getSession('u').decrypt(tampered))
        expect(error.code).toBe('ERR_ASHERAH_KEY_NOT_FOUND')
        expect(error).toMatchObject({ keyId: KeyId, created: Created + 1e9 })
      }
      expect(world.rows.all()).toEqual(before)

      world.clock.advance(2 * HOUR)
      const fresh = createPeer(world, { expireAfterMs: HOUR }, options)
      const later = await fresh.factory.getSession('u').encrypt(bytesOf('y'))
      expect(parentOf(later).created).toBeGreaterThan(Created)
      expect(parentOf(later).created * 1_000).toBeLessThanOrEqual(world.clock.now())
    }
  })

  it("D-010 an intermediate key's row that names another service's system key is refused, and the KMS is not asked", async () => {
    const world = createWorld()
    const record = await world.factory.getSession('u').encrypt(bytesOf('x'))
    const system = world.rows.of(SYSTEM_KEY_ID)[0]
    if (system === undefined) throw new Error('there is no system key')
    // The same created and the same wrapped key under another name: only the name tells.
    world.rows.put({ ...system, keyId: '_SK_other_prod' })
    world.rows.edit(parentOf(record), { parentKeyMeta: { keyId: '_SK_other_prod', created: system.created } })
    const peer = createPeer(world)
    const asked = peer.kms.decrypted.length
    const reading = await rejectionOf(peer.factory.getSession('u').decrypt(record))
    const writing = await rejectionOf(peer.factory.getSession('u').encrypt(bytesOf('x')))
    expect([reading.code, writing.code]).toEqual(['ERR_ASHERAH_WRONG_PARTITION', 'ERR_ASHERAH_WRONG_PARTITION'])
    expect(peer.kms.decrypted.length).toBe(asked)
    expect(peer.metastore.count(undefined, '_SK_')).toBe(0)
  })

  it('D-010 one that names another created of the own system key is not opened by the cached one', async () => {
    const world = createWorld()
    const record = await world.factory.getSession('u').encrypt(bytesOf('x'))
    const system = world.rows.of(SYSTEM_KEY_ID)[0]
    if (system === undefined) throw new Error('there is no system key')
    const other = { keyId: SYSTEM_KEY_ID, created: system.created - 60 }
    world.rows.edit(parentOf(record), { parentKeyMeta: other })
    const peer = createPeer(world)
    await peer.factory.getSession('v').encrypt(bytesOf('the system key is cached now'))
    const error = await rejectionOf(peer.factory.getSession('u').decrypt(record))
    expect(error).toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND', ...other })
  })
})
