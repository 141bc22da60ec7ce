import { describe, expect, it } from 'vitest'
import { InvalidConfigError, InvalidInputError } from '../src/index.ts'
import { createFactoryIds, type FactoryIds, MAX_PARTITION_BYTES, type PartitionNames } from '../src/partition.ts'
import { thrownBy } from './harness.ts'

const names = (given: Partial<PartitionNames> = {}): PartitionNames => ({
  service: 's',
  product: 'p',
  regionSuffix: undefined,
  recoveryRegionSuffixes: [],
  strictIds: false,
  ...given,
})
const idsOf = (given: Partial<PartitionNames> = {}): FactoryIds => createFactoryIds(names(given))

describe('key ids', () => {
  it('are written as every Asherah implementation writes them', () => {
    const bare = idsOf()
    expect(bare.systemKeyId).toBe('_SK_s_p')
    expect(bare.partition('u').intermediateKeyId).toBe('_IK_u_s_p')

    const suffixed = idsOf({ regionSuffix: 'us-west-2' })
    expect(suffixed.systemKeyId).toBe('_SK_s_p_us-west-2')
    expect(suffixed.partition('u').intermediateKeyId).toBe('_IK_u_s_p_us-west-2')
  })

  it('a bare factory reads its bare ids only', () => {
    const ids = idsOf()
    expect(ids.partition('u').allIntermediateKeyIds()).toEqual(['_IK_u_s_p'])
    expect(ids.isOwnSystemKey('_SK_s_p')).toBe(true)
    for (const other of ['_SK_s_p_', '_SK_s_p_r1', '_SK_s', '_sk_s_p', '_SK_t_p', '_IK_s_p', '']) {
      expect(ids.isOwnSystemKey(other), other).toBe(false)
    }
  })

  it('a suffixed factory reads its own suffix, the bare id and each listed suffix, once each', () => {
    const ids = idsOf({ regionSuffix: 'r1', recoveryRegionSuffixes: ['r2', 'r1', 'r3', 'r2'] })
    expect(ids.partition('u').allIntermediateKeyIds()).toEqual([
      '_IK_u_s_p_r1',
      '_IK_u_s_p',
      '_IK_u_s_p_r2',
      '_IK_u_s_p_r3',
    ])
    for (const suffix of ['', '_r1', '_r2', '_r3']) expect(ids.isOwnSystemKey(`_SK_s_p${suffix}`), suffix).toBe(true)
    expect(ids.isOwnSystemKey('_SK_s_p_r4')).toBe(false)
  })

  it.each([
    ['D-001 an id that only begins with the suffixed id', { regionSuffix: 'r1' }, 'u', '_IK_u_s_p_x_s_p_r1'],
    ['D-001 an id with another suffix', { regionSuffix: 'r1' }, 'u', '_IK_u_s_p_r2'],
    ['D-001 an id that goes on behind the suffix', { regionSuffix: 'r1' }, 'u', '_IK_u_s_p_r1_'],
    ['D-002 an id that only begins with the bare id', {}, 'u', '_IK_u_s_p_x_s_p'],
    ['D-002 the same with recovery', { recoveryRegionSuffixes: ['r1'] }, 'u', '_IK_u_s_p_x_s_p'],
    ['D-002 the same in a recovery region', { recoveryRegionSuffixes: ['r1'] }, 'u', '_IK_u_s_p_x_s_p_r1'],
    ['D-008 the decomposed form of the partition', {}, '\u00e9', '_IK_e\u0301_s_p'],
    ['the id in another case', {}, 'u', '_ik_u_s_p'],
    ['the partition in another case', {}, 'u', '_IK_U_s_p'],
    ['the partition with a space behind', {}, 'u', '_IK_u _s_p'],
    ['a system key', {}, 'u', '_SK_s_p'],
    ['nothing', {}, 'u', ''],
  ])('refuses %s', (_what, given, partitionId, keyId) => {
    expect(idsOf(given).partition(partitionId).isOwnIntermediateKey(keyId)).toBe(false)
  })
})

describe('names', () => {
  it.each(['service', 'product', 'regionSuffix'])('%s is non-empty, well-formed text', (name) => {
    for (const bad of ['', '\ud800', 'a\udc00b', null, 7, {}, ['s']]) {
      const error = thrownBy(() => Reflect.apply(createFactoryIds, undefined, [{ ...names(), [name]: bad }]))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(name)
    }
  })

  it.each([[['']], [['ok', '\udc00']], [[7]], ['r1'], [{ length: 1, 0: 'r1' }], [null]])(
    'refuses recoveryRegionSuffixes %j',
    (recoveryRegionSuffixes) => {
      const given = { ...names(), recoveryRegionSuffixes }
      const error = thrownBy(() => Reflect.apply(createFactoryIds, undefined, [given]))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain('recoveryRegionSuffixes')
    },
  )

  it('D-003 strictIds refuses _ in service, product and every suffix, naming it; a partition may have it', () => {
    const cases: [string, Partial<PartitionNames>][] = [
      ['service', { service: 'b_c' }],
      ['product', { product: '_' }],
      ['regionSuffix', { regionSuffix: 'us_west' }],
      ['recoveryRegionSuffixes', { recoveryRegionSuffixes: ['ok', 'us_west'] }],
    ]
    for (const [what, given] of cases) {
      expect(() => idsOf(given), what).not.toThrow()
      const error = thrownBy(() => idsOf({ ...given, strictIds: true }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(what)
      expect(error.message).toContain('strictIds')
    }
    expect(idsOf({ strictIds: true }).partition('a_b').intermediateKeyId).toBe('_IK_a_b_s_p')
  })
})

describe('suffixes that could be confused', () => {
  it.each([
    ['an own suffix that repeats service and product', { regionSuffix: 'x_s_p' }],
    ['a recovery suffix that does', { recoveryRegionSuffixes: ['x_s_p'] }],
    ['one that overlaps them', { service: 'a', product: 'a', regionSuffix: 'a' }],
    ['a recovery suffix that ends in the own ending', { regionSuffix: 'r', recoveryRegionSuffixes: ['x_s_p_r'] }],
    ['the reverse', { regionSuffix: 'x_s_p_r', recoveryRegionSuffixes: ['r'] }],
    ['two recovery suffixes', { recoveryRegionSuffixes: ['r', 'q_s_p_r'] }],
  ])('D-001 refuses %s', (_what, given) => {
    const error = thrownBy(() => idsOf(given))
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect(error.message).toContain('could be confused')
  })

  it('takes suffixes that only look alike', () => {
    expect(() => idsOf({ regionSuffix: 'west', recoveryRegionSuffixes: ['us-west', 'est', 'p', 's_p2'] })).not.toThrow()
  })

  // Every service, product and partition over { a, _ }, so that each way of overlapping occurs.
  it('D-001 brute force: refused exactly when two partitions could share an id', () => {
    const words = (max: number): string[] => {
      const found: string[] = []
      let last = ['']
      for (let length = 1; length <= max; length += 1) {
        last = last.flatMap((word) => [`${word}a`, `${word}_`])
        found.push(...last)
      }
      return found
    }
    const short = words(2)
    const lists = [[], ...short.map((suffix) => [suffix]), ['a', '_'], ['a', '_a'], ['__', 'a_']]
    // The longer ending exceeds the shorter one by three characters at the most: so do the partitions that collide.
    const partitions = words(4)
    const seen = { allowed: 0, refused: 0, wrong: [] as string[] }
    for (const service of short) {
      for (const product of short) {
        for (const regionSuffix of [undefined, ...short]) {
          for (const recoveryRegionSuffixes of lists) {
            const given = names({ service, product, regionSuffix, recoveryRegionSuffixes })
            const isAllowed = constructs(given)
            seen[isAllowed ? 'allowed' : 'refused'] += 1
            if (isAllowed === collides(given, partitions)) seen.wrong.push(JSON.stringify(given))
          }
        }
      }
    }
    expect(seen.wrong).toEqual([])
    // Both happen, or nothing was shown.
    expect(seen.allowed).toBeGreaterThan(1_000)
    expect(seen.refused).toBeGreaterThan(100)
  })

  it('brute force: what a partition says is its own is what it lists', () => {
    const ids = idsOf({ service: 'a', product: '_', regionSuffix: '_a', recoveryRegionSuffixes: ['aa'] })
    const partitions = ['a', '_', 'a_', '_a', 'aa', '__', 'a_a', '_a_', 'a__', 'a__a', 'a____a']
    const all = partitions.map((partitionId) => ids.partition(partitionId))
    for (const one of all) {
      for (const other of all) {
        for (const keyId of other.allIntermediateKeyIds()) {
          expect(one.isOwnIntermediateKey(keyId)).toBe(one === other)
        }
      }
    }
  })
})

function constructs(given: PartitionNames): boolean {
  try {
    createFactoryIds(given)
    return true
  } catch (error) {
    if (error instanceof InvalidConfigError) return false
    throw error
  }
}

/** By definition, not by the rule under test: does one id belong to two partitions? */
function collides(given: PartitionNames, partitions: readonly string[]): boolean {
  const { service, product, regionSuffix, recoveryRegionSuffixes } = given
  const suffixes = [undefined, regionSuffix, ...recoveryRegionSuffixes]
  const owners = new Map<string, string>()
  for (const partitionId of partitions) {
    for (const suffix of suffixes) {
      const core = `_IK_${partitionId}_${service}_${product}`
      const keyId = suffix === undefined ? core : `${core}_${suffix}`
      const owner = owners.get(keyId)
      if (owner !== undefined && owner !== partitionId) return true
      owners.set(keyId, partitionId)
    }
  }
  return false
}

describe('partition ids', () => {
  it.each([
    ['a space', ' '],
    ['other white space', '\t\r\n\u00a0\u2003\ufeff'],
    ['a control character', '\u0000'],
    ['emoji', '🛒👩‍🚀'],
    ['quotes and backslashes', 'a"b\\c\''],
    ['underscores', '___'],
    ['a path', '../../etc'],
    ['what looks like a key id', '_IK_u_s_p'],
    ['names of Object.prototype', '__proto__'],
    ['a non-character', '\uffff'],
  ])('takes %s verbatim', (_what, partitionId) => {
    const partition = idsOf().partition(partitionId)
    expect(partition.partitionId).toBe(partitionId)
    expect(partition.intermediateKeyId).toBe(`_IK_${partitionId}_s_p`)
    expect(partition.isOwnIntermediateKey(partition.intermediateKeyId)).toBe(true)
  })

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['the empty string', ''],
    ['a number', 7],
    ['a boolean', true],
    ['a String object', Object('u')],
    ['an array of one string', ['u']],
    ['bytes', new Uint8Array([117])],
    ['a symbol', Symbol('u')],
    ['a lone high surrogate', 'a\ud83d'],
    ['a lone low surrogate', '\udc00a'],
    ['surrogates in the wrong order', '\udc00\ud83d'],
  ])('D-004 refuses %s', (_what, partitionId) => {
    const error = thrownBy(() => Reflect.apply(idsOf().partition, undefined, [partitionId]))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(error.message).toMatch(/partition id/)
  })

  it.each([
    ['one byte', 'a', 1],
    ['two bytes', 'é', 2],
    ['three bytes', '€', 3],
    ['four bytes', '🛒', 4],
  ])('D-006 may have 4,096 bytes of UTF-8, in characters of %s', (_what, character, bytes) => {
    const whole = character.repeat(Math.floor(MAX_PARTITION_BYTES / bytes))
    const longest = whole + 'a'.repeat(MAX_PARTITION_BYTES - Buffer.byteLength(whole))
    expect(Buffer.byteLength(longest)).toBe(4_096)
    expect(() => idsOf().partition(longest)).not.toThrow()
    const error = thrownBy(() => idsOf().partition(`${longest}a`))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(error.message).toContain('4097')
    expect(error.message).toContain('4096')
  })
})
