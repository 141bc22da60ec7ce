import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openAes256Gcm } from '@asherah/core/backend'
import { afterEach, describe, expect, test } from 'vitest'
import { nativeBinary } from './support/native-build.ts'
import { findKeys } from './support/process-memory.ts'

let child: ChildProcessWithoutNullStreams | undefined
afterEach(() => child?.kill('SIGKILL'))

describe.skipIf(nativeBinary() === undefined || process.platform !== 'linux')('a scan of the whole process', () => {
  test('finds locked keys in locked memory only, encrypted keys nowhere, and none after a close (D-100)', async () => {
    const parent = Buffer.from('the parent key, which is public.')
    const isRoot = process.getuid?.() === 0
    const asNobody = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
    const file = fileURLToPath(new URL('./children/idle-keys.ts', import.meta.url))
    const node = [process.execPath, '--conditions=asherah-source', '--no-warnings', file, parent.toString('hex')]
    child = spawn('prlimit', ['--memlock=32768:32768', ...asNobody, ...node], { stdio: 'pipe' })
    let failed = ''
    child.stderr.on('data', (chunk: Buffer) => {
      failed += chunk.toString()
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const line = async (): Promise<string> => {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the child ended: ${failed}`)
      return String(value)
    }
    const { wrapped, encryptedKeys } = JSON.parse(await line())
    const keys: Uint8Array[] = wrapped.map((blob: string) => openAes256Gcm(Buffer.from(blob, 'base64'), parent))
    const pid = Number(await line())
    const firstEncrypted = keys.length - encryptedKeys
    expect(firstEncrypted).toBeGreaterThan(50)
    expect(encryptedKeys).toBeGreaterThan(100)

    const idle = findKeys(pid, keys)
    // That the scan finds anything is shown by the keys that are not encrypted.
    expect(idle.size).toBe(firstEncrypted)
    for (const [index, mappings] of idle) {
      expect(index).toBeLessThan(firstEncrypted)
      for (const { flags } of mappings) expect(flags).toEqual(expect.arrayContaining(['lo', 'dd', 'wf']))
    }

    child.stdin.write('close\n')
    expect(await line()).toBe('closed')
    expect(findKeys(pid, keys).size).toBe(0)
    child.stdin.write('end\n')
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
  }, 120_000)
})
