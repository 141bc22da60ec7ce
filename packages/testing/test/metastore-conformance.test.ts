import { metastoreConformance } from '@asherah/testing'
import { describe, expect, test } from 'vitest'
import { metastoreChecks } from '../src/metastore/metastore-conformance.ts'
import { failingChecks, faultTests } from './failing-checks.ts'
import { type LocalStore, localMetastore } from './local-metastore.ts'
import { metastoreFaults, subject } from './metastore-faults.ts'

const CAPABILITIES = ['list', 'markRevoked', 'check', 'close'] as const

const store: LocalStore = []
metastoreConformance({
  name: 'local',
  create: () => localMetastore(store),
  reopen: () => localMetastore(store),
  overwriteBody(_, key, text) {
    for (const row of store) if (row.keyId === key.keyId && row.created === key.created) row.text = text
  },
  offers: CAPABILITIES,
})

const checks = metastoreChecks({ offers: CAPABILITIES, reopen: true, overwriteBody: true })

describe('the metastore kit', () => {
  faultTests(checks, subject, metastoreFaults)

  test('a method that is there and not in `offers` is seen', async () => {
    const few = metastoreChecks({ offers: ['list'], reopen: false, overwriteBody: false })
    const failed = await failingChecks(few, subject())
    expect(failed).toEqual(['markRevoked', 'check', 'close'].map((name) => `${name}: not offered, and not there`))
  })

  test('a method that is in `offers` and not there is seen', async () => {
    const without = subject({}, ({ load, loadLatest, store: put }) => ({ load, loadLatest, store: put }))
    const failed = await failingChecks(checks, without)
    for (const name of ['list gives', 'markRevoked gives', 'check finds', 'close is']) {
      expect(failed).toContainEqual(expect.stringContaining(name))
    }
  })
})
