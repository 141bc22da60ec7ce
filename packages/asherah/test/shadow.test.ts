import { setImmediate as tick } from 'node:timers/promises'
import { decryptAsync, encryptAsync, type LogEvent, setLogHook, setupAsync, shutdownAsync } from '@asherah/asherah'
import { planOf, readConfigObject } from '@asherah/config'
import { afterEach, expect, it } from 'vitest'
import { createEngine } from '../src/engine.ts'
import { createShadow } from '../src/shadow.ts'
import { memoryConfig } from './config.ts'

afterEach(async () => {
  delete process.env.ASHERAH_ENGINE_SHADOW
  setLogHook(null)
  await shutdownAsync()
})

it('D-014 finds no difference where there is none', async () => {
  process.env.ASHERAH_ENGINE_SHADOW = '1'
  const warnings: LogEvent[] = []
  setLogHook((event) => warnings.push(event))
  await setupAsync(memoryConfig)
  const plaintext = Buffer.from('payload')
  const pending = encryptAsync('p', plaintext)
  plaintext.fill(0) // after the call: what was there then is compared
  const record = await pending
  expect((await decryptAsync('p', record)).toString()).toBe('payload')
  await shutdownAsync()
  await tick()
  expect(warnings.filter(({ message }) => message.includes('SHADOW'))).toEqual([])
})

it('D-014 tells a difference, without the bytes', async () => {
  process.env.ASHERAH_ENGINE_SHADOW = '1'
  const messages: string[] = []
  setLogHook(({ message }) => messages.push(message))
  const load = (name: string): Promise<unknown> => import(name)
  const plan = planOf(readConfigObject(memoryConfig))
  const engine = await createEngine(plan, load)
  const shadow = await createShadow(plan, load, engine)
  const record = await engine.encrypt('p', Buffer.from('payload'))
  shadow?.check('encrypted', 'p', record, Buffer.from('another'))
  shadow?.check('decrypted', 'p', record.replace(/"Data":"..../, '"Data":"AAAA'), Buffer.from('payload'))
  await shadow?.close()
  await engine.close()
  await tick()
  expect(messages.filter((text) => text.includes('reads other bytes'))).toHaveLength(1)
  expect(messages.filter((text) => text.includes('cannot read it'))).toHaveLength(1)
  expect(messages.join()).not.toContain('payload')
})
