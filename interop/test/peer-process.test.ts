import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { preparedFolder, runTool } from '@asherah/testing/services'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { PeerError, startJsonLines } from '../src/json-lines-process.ts'

afterEach(() => vi.unstubAllEnvs())

function node(script: string) {
  return startJsonLines(process.execPath, ['-e', script])
}

describe('a peer process', () => {
  test('answers, refuses, and is gone after stop', async () => {
    const child = node(`
      require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
        const { id, op } = JSON.parse(line)
        console.log(JSON.stringify(op === 'pid' ? { id, ok: true, result: process.pid } : { id, ok: false, error: 'no ' + op }))
      })`)
    const pid = Number(await child.request('pid'))
    await expect(child.request('dance')).rejects.toThrow(new PeerError('no dance'))
    await child.stop()
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    await expect(child.request('pid')).rejects.toThrow('ended with')
  })

  test('that fails to start shows its log', async () => {
    const child = node(`console.error('the library is missing'); process.exit(3)`)
    await expect(child.request('open')).rejects.toThrow(/ended with code 3\nthe library is missing/)
    await child.stop()
  })

  test('that is not there, or prints something else than answers, is an error', async () => {
    const missing = startJsonLines('asherah-no-such-command', [])
    await expect(missing.request('open')).rejects.toThrow('ENOENT')
    await missing.stop()
    const chatty = node(`console.log('Welcome!'); process.stdin.resume()`)
    await expect(chatty.request('open')).rejects.toThrow('not an answer: Welcome!')
    await chatty.stop()
  })

  test('gets no settings from our environment', async () => {
    vi.stubEnv('STATIC_MASTER_KEY_HEX', '22'.repeat(32))
    const child = node(`
      process.stdin.once('data', (line) => {
        console.log(JSON.stringify({ id: JSON.parse(line).id, ok: true, result: process.env.STATIC_MASTER_KEY_HEX ?? 'none' }))
      })`)
    expect(await child.request('key')).toBe('none')
    await child.stop()
  })
})

test('a missing tool and a failing one are told apart', async () => {
  expect(await runTool('asherah-no-such-command', [])).toEqual({ status: 'missing' })
  expect(await runTool(process.execPath, ['-e', `console.error('why'); process.exit(1)`])).toEqual({
    status: 'failed',
    output: 'why',
  })
})

describe('a prepared folder', () => {
  const cache = mkdtempSync(join(tmpdir(), 'asherah-cache-'))
  afterAll(() => rmSync(cache, { recursive: true, force: true }))

  test('is filled once for the same inputs, also by two at once, and again for others', async () => {
    vi.stubEnv('XDG_CACHE_HOME', cache)
    let fills = 0
    const fill = async (folder: string) => {
      fills += 1
      writeFileSync(join(folder, 'file'), 'x')
    }
    const [first, second] = await Promise.all([preparedFolder('a', ['1'], fill), preparedFolder('a', ['1'], fill)])
    expect(second).toBe(first)
    expect(existsSync(join(first, 'file'))).toBe(true)
    const filled = fills
    expect(await preparedFolder('a', ['1'], fill)).toBe(first)
    expect(fills).toBe(filled)
    expect(await preparedFolder('a', ['2'], fill)).not.toBe(first)
  })

  test('that could not be filled leaves nothing behind', async () => {
    vi.stubEnv('XDG_CACHE_HOME', join(cache, 'other'))
    const failing = preparedFolder('a', [], () => Promise.reject(new Error('no network')))
    await expect(failing).rejects.toThrow('no network')
    expect(readdirSync(join(cache, 'other', 'asherah-tests'))).toEqual([])
  })
})
