import type { Metastore } from '@asherah/core'
import { expect, test } from 'vitest'
import { printable } from '../../src/commands/keys-list.ts'
import { listKeys } from '../../src/keys/key-list.ts'
import { describeKey, effectiveState, formatAge, keyState } from '../../src/keys/key-state.ts'

const record = { keyId: '_SK_s_p', created: 1_000, encryptedKey: Uint8Array.of(7, 7, 7), revoked: false }

test('a key expires strictly after its lifetime, and revocation comes first', () => {
  const lifetime = 90_000
  expect(keyState(record, 1_090_000, lifetime)).toBe('valid')
  expect(keyState(record, 1_090_001, lifetime)).toBe('expired')
  expect(keyState({ ...record, revoked: true }, 9e12, lifetime)).toBe('revoked')
})

test('what is shown of a key has no bytes of it', () => {
  const child = { ...record, keyId: '_IK_x_s_p', parentKeyMeta: { keyId: '_SK_s_p', created: 1_000 } }
  const info = describeKey(child, { now: 2_000_500, expireAfterMs: 9e9, parentState: () => 'revoked', uses: null })
  expect(info).toEqual({
    id: '_IK_x_s_p',
    kind: 'intermediate',
    created: '1970-01-01T00:16:40Z',
    createdUnix: 1_000,
    ageSeconds: 1_000,
    expires: '1970-04-15T04:16:40Z',
    state: 'valid',
    parent: { id: '_SK_s_p', created: '1970-01-01T00:16:40Z', state: 'revoked' },
    uses: null,
  })
  expect(effectiveState(info)).toBe('revoked (parent)')
})

test('ages', () => {
  expect([0, 59, 60, 3_600, 172_799, 172_800].map(formatAge)).toEqual(['0s', '59s', '1m', '1h', '47h', '2d'])
})

test('the versions of one key are listed, the very first second included', async () => {
  const rows = [
    { ...record, created: 1 },
    { ...record, created: 5 },
    { ...record, keyId: '_SK_s_p2', created: 2 },
  ]
  const metastore: Metastore = {
    load: async (keyId, created) => rows.find((row) => row.keyId === keyId && row.created === created) ?? null,
    loadLatest: async (keyId, { notAfter = Number.POSITIVE_INFINITY } = {}) =>
      rows.findLast((row) => row.keyId === keyId && row.created <= notAfter) ?? null,
    store: async () => false,
    async *list() {
      yield* rows
    },
  }
  const seen: number[] = []
  for await (const key of listKeys({ metastore, keyId: '_SK_s_p', now: 0, expireAfterMs: 1 }))
    seen.push(key.createdUnix)
  expect(seen).toEqual([1, 5])
})

test('a partition id cannot steer the terminal', () => {
  expect(printable('_IK_a\u001b[2Jb\n\u202e_s_p')).toBe('_IK_a\\u{1b}[2Jb\\u{a}\\u{202e}_s_p')
})
