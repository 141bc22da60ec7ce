import { reviewConfig } from '@asherah/config'
import { describe, expect, it } from 'vitest'

const review = (config: object): string[] =>
  reviewConfig(JSON.stringify(config), {}).map(({ level, check, message }) => `${level} ${check}: ${message}`)

const fine = {
  ServiceName: 's',
  ProductID: 'p',
  Metastore: 'memory',
  KMS: 'test-debug-static',
  EnableSessionCaching: true,
}

describe('reviewConfig', () => {
  it('passes a config that means the same', () => {
    expect(review(fine)).toEqual(['pass config: it is accepted, and means the same'])
  })

  it('tells every refusal at once, with seconds for nanoseconds', () => {
    const told = review({
      ...fine,
      ExpireAfter: 7_776_000_000_000_000,
      servicename: 'x',
      Verbose: 'hunter2',
      KMS: 'hunter2',
    })
    expect(told.filter((line) => line.startsWith('fail'))).toEqual([
      expect.stringMatching(/^fail KMS: KMS is one of aws/),
      expect.stringMatching(/^fail ExpireAfter: .*nanoseconds.*: write 7776000$/),
      'fail servicename: the config has no key "servicename": did you mean serviceName?',
      'fail Verbose: Verbose is true or false, not a string',
    ])
    expect(told.join()).not.toContain('hunter2')
  })

  it('tells what changes its meaning', () => {
    const { EnableSessionCaching: _, ...rest } = fine
    const told = review({ ...rest, ExpireAfter: 60, KMS: 'static', EnableRegionSuffix: true, DisableZeroCopy: true })
    expect(told).toEqual([
      'fail config: EnableRegionSuffix takes the region of Metastore dynamodb; with memory, give RegionSuffix',
      'warn ExpireAfter: it is 60 seconds here, as in 4.x; 3.x took it as nanoseconds',
      'warn KMS: 3.x used a public key for static whatever the config said; KMS test-debug-static reads what it wrote',
      'warn RecoveryRegionSuffixes: a suffixed deployment must list the suffixes of its other regions to read their records',
      'warn EnableSessionCaching: it is true by default, as in 4.x; in 3.x it was false',
    ])
    expect(review({ ...fine, DisableZeroCopy: true })[0]).toContain(
      'warn DisableZeroCopy: DisableZeroCopy has no effect',
    )
  })

  it.each(['static', 'Static', 'STATIC'])('a KMS in any case is the one that setup reads: %s', (KMS) => {
    const key = { StaticMasterKeyHex: `${'a1'.repeat(31)}b2` }
    expect(review({ ...fine, ...key, KMS })).toEqual([
      'warn KMS: 3.x used a public key for static whatever the config said; KMS test-debug-static reads what it wrote',
    ])
  })

  it('a key that is null in one casing is the one that the other gives', () => {
    expect(review({ ...fine, ExpireAfter: 60, expireAfter: null })).toEqual([
      'warn ExpireAfter: it is 60 seconds here, as in 4.x; 3.x took it as nanoseconds',
    ])
    expect(review({ ...fine, expireAfter: null })).toEqual(['pass config: it is accepted, and means the same'])
  })

  it.each(['', '{', '[]', '"hunter2"', '{"a":1,"a":2}'])('D-111 %j is one finding, without its text', (text) => {
    const [finding, ...rest] = reviewConfig(text, {})
    expect(finding).toMatchObject({ level: 'fail', check: 'config' })
    expect(rest).toEqual([])
    expect(finding?.message).not.toContain('hunter2')
  })
})
