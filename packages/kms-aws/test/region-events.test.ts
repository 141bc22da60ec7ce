import { type KmsRegionEvent, kmsRegionChannel } from '@asherah/kms-aws'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { awsError } from './fake-kms.ts'
import { createThreeRegions, systemKey, type ThreeRegions } from './three-regions.ts'

let fake: ThreeRegions
beforeEach(() => {
  fake = createThreeRegions()
})

describe('events', () => {
  let events: KmsRegionEvent[]
  beforeEach(() => {
    events = []
    vi.spyOn(kmsRegionChannel, 'publish').mockImplementation((event) => void events.push(event))
    vi.spyOn(kmsRegionChannel, 'hasSubscribers', 'get').mockReturnValue(true)
  })
  afterEach(() => vi.restoreAllMocks())

  test('each call in each region is published with its outcome, and without key bytes', async () => {
    fake.fault = ({ region }) =>
      region === 'us-west-2' ? awsError('DisabledException') : region === 'us-east-1' ? 'hang' : undefined
    await fake.createKms({ regionTimeoutMs: 50 }).encryptKey(systemKey)
    expect(events.map(({ durationMs: _, ...event }) => event)).toEqual([
      { operation: 'GenerateDataKey', region: 'us-west-2', outcome: 'terminal', error: 'DisabledException' },
      { operation: 'GenerateDataKey', region: 'us-east-1', outcome: 'timeout' },
      { operation: 'GenerateDataKey', region: 'eu-west-1', outcome: 'ok' },
      { operation: 'Encrypt', region: 'us-west-2', outcome: 'terminal', error: 'DisabledException' },
      { operation: 'Encrypt', region: 'us-east-1', outcome: 'timeout' },
    ])
    expect(events.every(({ durationMs }) => durationMs >= 0)).toBe(true)
  })
})
