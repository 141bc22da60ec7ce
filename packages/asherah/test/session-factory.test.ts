import { setImmediate as tick } from 'node:timers/promises'
import { type AsherahConfig, type MetricsEvent, SessionFactory, setMetricsHook } from '@asherah/asherah'
import { afterEach, describe, expect, it } from 'vitest'
import { codeOf, memoryConfig, rejectionOf } from './config.ts'

const open: SessionFactory[] = []
function factoryOf(config: AsherahConfig = memoryConfig): SessionFactory {
  const factory = new SessionFactory(config)
  open.push(factory)
  return factory
}
afterEach(async () => {
  setMetricsHook(null)
  for (const factory of open.splice(0)) await factory.closeAsync()
})

describe('SessionFactory', () => {
  it('D-011 several at once, each with its own keys and either casing', async () => {
    const pascal = factoryOf()
    const camel = factoryOf({
      serviceName: 'other',
      productId: 'product',
      metastore: 'memory',
      kms: 'test-debug-static',
    })
    const record = pascal.getSession('p').encryptString('one')
    expect(pascal.getSession('p').decryptString(record)).toBe('one')
    expect(codeOf(() => camel.getSession('p').decrypt(record))).toBe('ERR_ASHERAH_WRONG_PARTITION')
    expect(await camel.getSession('p').decryptStringAsync(await camel.getSession('p').encryptAsync('two'))).toBe('two')
  })

  it('D-043 checks the config in its constructor', () => {
    expect(() => new SessionFactory({ ...memoryConfig, ServiceNam: 'x' } as AsherahConfig)).toThrow(
      'did you mean ServiceName?',
    )
    expect(() => new SessionFactory(Object(null))).toThrow('ServiceName is missing')
  })

  it('D-004 refuses an empty partition at getSession', () => {
    const factory = factoryOf()
    for (const bad of ['', null, undefined, 5, '\uD800', 'x'.repeat(4_097)]) {
      expect(codeOf(() => factory.getSession(Object(bad) === bad ? '' : (bad as string)))).toBe(
        'ERR_ASHERAH_INVALID_INPUT',
      )
    }
  })

  it('D-108 calls of one session run at once', async () => {
    const session = factoryOf().getSession('p')
    const records = await Promise.all(Array.from({ length: 10 }, (_, i) => session.encryptStringAsync(String(i))))
    expect(await Promise.all(records.map((record) => session.decryptStringAsync(record)))).toEqual(
      records.map((_, i) => String(i)),
    )
  })

  it('D-038 a closed session or factory refuses, and closes again in peace', async () => {
    const factory = factoryOf()
    const session = factory.getSession('p')
    const record = session.encrypt('x')
    const running = session.decryptStringAsync(record)
    session.close()
    session.close()
    expect(await running).toBe('x')
    expect(codeOf(() => session.encrypt('x'))).toBe('ERR_ASHERAH_CLOSED')
    expect(await rejectionOf(() => session.decryptAsync(record))).toBe('ERR_ASHERAH_CLOSED')
    const other = factory.getSession('p')
    factory.close()
    factory.close()
    expect(codeOf(() => factory.getSession('p'))).toBe('ERR_ASHERAH_CLOSED')
    expect(codeOf(() => other.encrypt('x'))).toBe('ERR_ASHERAH_CLOSED')
    await factory.closeAsync()
  })

  it('D-132 SessionCacheMaxSize 2: of a, b, a, c it is b that leaves', async () => {
    const factory = factoryOf({ ...memoryConfig, SessionCacheMaxSize: 2 })
    const loads = async (partition: string): Promise<boolean> => {
      const events: MetricsEvent[] = []
      setMetricsHook((event) => events.push(event))
      await factory.getSession(partition).encryptAsync('x')
      await tick()
      return events.some(({ type }) => type === 'load')
    }
    const loaded: boolean[] = []
    for (const partition of ['a', 'b', 'a', 'c', 'a', 'b']) loaded.push(await loads(partition))
    expect(loaded).toEqual([true, true, false, true, false, true])
  })

  it('without session caching, a session keeps its own key', async () => {
    const factory = factoryOf({ ...memoryConfig, EnableSessionCaching: false })
    const session = factory.getSession('p')
    await session.encryptAsync('x')
    const events: MetricsEvent[] = []
    setMetricsHook((event) => events.push(event))
    const record = session.encrypt('y')
    await tick()
    expect(events.map(({ type }) => type)).not.toContain('load')
    expect(factory.getSession('p').decryptString(record)).toBe('y')
  })
})
