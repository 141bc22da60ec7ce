import { once } from 'node:events'
import { setImmediate as tick } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import * as asherah from '@asherah/asherah'
import { channels } from '@asherah/core'
import { kmsRegionChannel } from '@asherah/kms-aws'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryConfig } from './config.ts'

afterEach(async () => {
  asherah.setLogHook(null)
  asherah.setMetricsHook(null)
  await asherah.shutdownAsync()
})

const warn = (message: string): void => channels.warning.publish({ code: 'TEST', message })

describe('log hooks', () => {
  it('both shapes, with the numbers of either package', async () => {
    const told: unknown[] = []
    asherah.setLogHook((event) => told.push(event))
    warn('a')
    await tick()
    asherah.setLogHook((level: number, message: string) => told.push([level, message]))
    warn('b')
    await tick()
    asherah.set_log_hook((level: number, message: string) => told.push([level, message]))
    warn('c')
    await tick()
    asherah.setLogHook(null)
    warn('d')
    await tick()
    expect(told).toEqual([{ level: 'warn', message: 'TEST: a', target: 'asherah' }, [2, 'TEST: b'], [4, 'TEST: c']])
  })

  it('D-113 one that throws breaks nothing, and the next event comes', async () => {
    let heard = 0
    asherah.setLogHook(() => {
      heard += 1
      throw new Error('boom')
    })
    asherah.setMetricsHook(() => {
      throw new Error('boom')
    })
    await asherah.setupAsync(memoryConfig)
    const record = await asherah.encryptAsync('p', 'x')
    expect(asherah.decryptString('p', record)).toBe('x')
    await tick()
    warn('again')
    await tick()
    expect(heard).toBeGreaterThan(1)
  })

  it('D-131 one that replaces and clears itself, 10,000 times under load', async () => {
    let heard = 0
    const hook = (): void => {
      heard += 1
      asherah.setLogHook(null)
      asherah.setLogHook(hook)
      warn('from inside')
    }
    asherah.setLogHook(hook)
    warn('first')
    while (heard < 10_000) await tick()
    asherah.setLogHook(null)
    await tick()
    const before = heard
    warn('nobody hears')
    await tick()
    expect(heard).toBe(before)
  })

  it('D-113 a flood is bounded, and what was dropped is counted', async () => {
    let heard = 0
    asherah.setLogHook(() => (heard += 1))
    const before = asherah.droppedHookEvents()
    for (let i = 0; i < 100_000; i++) warn('flood')
    await tick()
    expect(heard).toBe(4_096)
    expect(asherah.droppedHookEvents() - before).toBe(100_000 - 4_096)
  })

  it('D-111 D-117 messages are redacted', async () => {
    const told: string[] = []
    asherah.setLogHook(({ message }) => told.push(message))
    warn('postgres://u:hunter2@h/d arn:aws:kms:us-west-2:111122223333:key/x')
    await tick()
    expect(told.join()).not.toMatch(/hunter2|111122223333/)
    expect(told.join()).toContain('postgres://')
  })

  it('refuses what is no function', () => {
    expect(() => asherah.setLogHook(Object('x'))).toThrow('a log hook is a function, or null')
    expect(() => asherah.setMetricsHook(Object(5))).toThrow('a metrics hook is a function, or null')
  })
})

describe('metrics hooks', () => {
  it('D-131 timers have the canonical names, cold and warm, sync and async', async () => {
    const names = new Set<string>()
    asherah.setMetricsHook((event) => {
      names.add(event.name)
      if ('durationNs' in event) expect(event.durationNs).toBeGreaterThan(0)
    })
    await asherah.setupAsync(memoryConfig)
    const record = await asherah.encryptAsync('p', 'x')
    asherah.decrypt('p', record)
    asherah.encrypt('cold', 'x')
    await tick()
    expect([...names]).toEqual(
      expect.arrayContaining([
        'ael.drr.encrypt',
        'ael.drr.decrypt',
        'ael.metastore.memory.loadlatest',
        'ael.metastore.memory.store',
        'ael.kms.static.encryptkey',
        'ik',
        'sk',
      ]),
    )
  })

  it('D-131 AWS KMS calls have a timer for each region', async () => {
    const told: unknown[] = []
    asherah.setMetricsHook((event) => told.push(event))
    for (const operation of ['GenerateDataKey', 'Encrypt', 'Decrypt'] as const) {
      kmsRegionChannel.publish({ operation, region: 'us-west-2', outcome: 'ok', durationMs: 1.5 })
    }
    await tick()
    asherah.setMetricsHook(null)
    kmsRegionChannel.publish({ operation: 'Decrypt', region: 'us-west-2', outcome: 'ok', durationMs: 1.5 })
    await tick()
    const names = ['generatedatakey', 'encrypt', 'decrypt'].map((call) => `ael.kms.aws.${call}.us-west-2`)
    expect(told).toEqual(names.map((name) => ({ type: 'kms', name, durationNs: 1_500_000 })))
  })

  it('a hook does not make a warm call cold', async () => {
    await asherah.setupAsync(memoryConfig)
    await asherah.encryptAsync('p', 'x')
    const types: string[] = []
    asherah.setMetricsHook(({ type }) => types.push(type))
    asherah.encrypt('p', 'x')
    await tick()
    expect(types).toEqual(['cache_hit', 'encrypt'])
  })
})

describe('worker threads', () => {
  it('D-114 each has a state and hooks of its own; the end of one disturbs no other', async () => {
    const told: string[] = []
    asherah.setLogHook(({ message }) => told.push(message))
    await asherah.setupAsync(memoryConfig)
    const record = await asherah.encryptAsync('p', 'main')
    const worker = new Worker(new URL('./children/in-worker.ts', import.meta.url), {
      workerData: memoryConfig,
      execArgv: ['--conditions=asherah-source', '--disable-warning=ExperimentalWarning'],
    })
    const [answer] = await once(worker, 'message')
    expect(answer).toEqual({ before: false, ready: true, text: 'worker' })
    await worker.terminate()
    expect(asherah.getSetupStatus()).toBe(true)
    expect(asherah.decryptString('p', record)).toBe('main')
    warn('main hears')
    await tick()
    expect(told).toContain('TEST: main hears')
  })
})
