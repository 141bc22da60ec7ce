import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  freePort,
  httpAnswers,
  portAnswers,
  preparedFolder,
  type ServiceDefinition,
  ServiceUnavailableError,
  startChild,
  startService,
} from '@asherah/testing/services'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

const cache = mkdtempSync(join(tmpdir(), 'asherah-cache-'))

beforeAll(() => vi.stubEnv('XDG_CACHE_HOME', cache))
afterAll(() => rmSync(cache, { recursive: true, force: true }))

describe('startService', () => {
  const definition: ServiceDefinition<string> = {
    name: 'Thing',
    variable: 'TEST_THING_URL',
    fromVariable: (url) => url,
  }
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.stubEnv('XDG_CACHE_HOME', cache)
  })

  test('takes the address of the environment variable, and starts nothing', async () => {
    vi.stubEnv('TEST_THING_URL', 'thing://there')
    const startLocal = vi.fn()
    const service = await startService({ ...definition, startLocal })
    expect(service).toMatchObject({ available: true, origin: 'variable', details: 'thing://there' })
    expect(startLocal).not.toHaveBeenCalled()
  })

  test('starts the local program', async () => {
    const stop = vi.fn(async () => {})
    const service = await startService({ ...definition, startLocal: async () => ({ details: 'thing://local', stop }) })
    expect(service).toMatchObject({ available: true, origin: 'local', details: 'thing://local' })
    await service.stop()
    expect(stop).toHaveBeenCalledOnce()
  })

  const lacking = {
    ...definition,
    startLocal: async () => {
      throw new ServiceUnavailableError('install thingd')
    },
  }

  test('says what is missing, and where to get it', async () => {
    vi.stubEnv('ASHERAH_TEST_REQUIRE', '')
    await expect(startService(lacking)).resolves.toMatchObject({
      available: false,
      reason: expect.stringMatching(/needs Thing: install thingd; or set TEST_THING_URL/),
    })
  })

  test('fails instead where every service is required', async () => {
    vi.stubEnv('ASHERAH_TEST_REQUIRE', 'all')
    await expect(startService(lacking)).rejects.toThrow(/needs Thing: install thingd/)
  })

  test('passes on why a program that is there did not start', async () => {
    const startLocal = async () => {
      throw new Error('port taken')
    }
    await expect(startService({ ...definition, startLocal })).rejects.toThrow('port taken')
  })
})

describe('startChild', () => {
  const node = (script: string, ready: () => Promise<boolean>, readyTimeoutMs = 60_000) =>
    startChild({ name: 'thing', command: process.execPath, args: ['-e', script], ready, readyTimeoutMs })

  test('waits until the service answers, and stops it by its pid', async () => {
    const port = await freePort()
    const child = await node(
      `setTimeout(() => require('node:http').createServer((q, s) => s.writeHead(204).end()).listen(${port}, '127.0.0.1'), 200)`,
      () => httpAnswers(`http://127.0.0.1:${port}/`, [204]),
    )
    await expect(portAnswers(port)).resolves.toBe(true)
    await child.stop()
    await expect(portAnswers(port)).resolves.toBe(false)
    expect(() => process.kill(child.pid, 0)).toThrow()
  })

  test('shows the log of one that ends before it is ready', async () => {
    await expect(node('console.error("no licence"); process.exit(3)', async () => false)).rejects.toThrow(
      /thing did not start: it ended with code 3[\s\S]*no licence/,
    )
  })

  test('is not taken in by another service that answers on its port', async () => {
    const ready = async () => {
      await new Promise((resolve) => setTimeout(resolve, 500))
      return true
    }
    await expect(node('process.exit(3)', ready)).rejects.toThrow('it ended with code 3')
  })

  test('kills one that is never ready', async () => {
    await expect(node('setInterval(() => {}, 1000)', async () => false, 300)).rejects.toThrow(/not ready in 300 ms/)
  })

  test('a program that is not there is an error', async () => {
    const options = { name: 'thing', command: 'no-such-program-here', args: [], ready: async () => false }
    await expect(startChild(options)).rejects.toThrow(/ENOENT|No such file or directory/)
  })

  test.runIf(process.platform === 'linux')('ends with a parent that was killed', async () => {
    const parent = spawn(process.execPath, [
      '--conditions=asherah-source',
      join(import.meta.dirname, 'child-parent.ts'),
    ])
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (data) => resolve(Number(data))))
    expect(() => process.kill(pid, 0)).not.toThrow()
    parent.kill('SIGKILL')
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 10_000)
  })
})

describe('preparedFolder', () => {
  const names = () => readdirSync(join(cache, 'asherah-tests'))

  test('is filled once, however many ask', async () => {
    const fill = vi.fn(async (folder: string) => writeFileSync(join(folder, 'a'), '1'))
    const [first, second] = await Promise.all([preparedFolder('x', ['1'], fill), preparedFolder('x', ['1'], fill)])
    expect(first).toBe(second)
    expect(existsSync(join(first, 'a'))).toBe(true)
    expect(fill).toHaveBeenCalledOnce()
    expect(await preparedFolder('x', ['2'], fill)).not.toBe(first)
  })

  test('one that fails leaves nothing, and the next tries again', async () => {
    const before = names()
    const failing = preparedFolder('y', [], async () => {
      throw new Error('no network')
    })
    await expect(failing).rejects.toThrow('no network')
    expect(names()).toEqual(before)
    await expect(preparedFolder('y', [], async () => {})).resolves.toContain('y-')
  })

  test('a lock of a process that has ended is taken over', async () => {
    const folder = await preparedFolder('z', [], async () => {})
    rmSync(folder, { recursive: true })
    // No process has this number: Linux stops at 2^22.
    writeFileSync(`${folder}.lock`, '99999999')
    await expect(preparedFolder('z', [], async () => {})).resolves.toBe(folder)
  })

  test('an old lock is taken over, though another process has its owner’s number now', async () => {
    const folder = await preparedFolder('old', [], async () => {})
    rmSync(folder, { recursive: true })
    writeFileSync(`${folder}.lock`, String(process.pid))
    const anHourAgo = new Date(Date.now() - 3_600_000)
    utimesSync(`${folder}.lock`, anHourAgo, anHourAgo)
    await expect(preparedFolder('old', [], async () => {})).resolves.toBe(folder)
  })

  test('two that fill at once, as after a lock that both took over: the first one’s folder is used', async () => {
    const folder = await preparedFolder('twice', [], async () => {})
    rmSync(folder, { recursive: true })
    const late = preparedFolder('twice', [], async (draft) => {
      writeFileSync(join(draft, 'by'), 'late')
      mkdirSync(folder)
      writeFileSync(join(folder, 'by'), 'first')
    })
    await expect(late).resolves.toBe(folder)
    expect(readFileSync(join(folder, 'by'), 'utf8')).toBe('first')
  })
})
