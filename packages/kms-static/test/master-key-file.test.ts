import { Buffer } from 'node:buffer'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createStaticKms, generateMasterKeyFile, readMasterKeyFile } from '@asherah/kms-static'
import { afterAll, expect, test, vi } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'asherah-key-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const RAW = Buffer.from('a master key of 32 bytes, really')
const HEX = RAW.toString('hex')

let files = 0
function keyFile(content: Uint8Array | string, mode = 0o600): string {
  files += 1
  const path = join(folder, `${files}.key`)
  writeFileSync(path, content, { mode })
  chmodSync(path, mode)
  return path
}

const quiet = { onWarning: (message: string): never => expect.fail(`a warning: ${message}`) }

test.each([
  ['32 raw bytes', RAW],
  ['64 hex digits', HEX],
  ['64 hex digits in capitals', HEX.toUpperCase()],
  ['64 hex digits and a newline', `${HEX}\n`],
  ['64 hex digits and a newline of Windows', `${HEX}\r\n`],
])('a file of %s is read', async (_, content) => {
  const path = keyFile(content)
  const key = await readMasterKeyFile(path, quiet)
  expect(key).toEqual(new Uint8Array(RAW))
  expect(key.buffer.byteLength).toBe(32)
  expect(await readMasterKeyFile(pathToFileURL(path), quiet)).toEqual(key)
})

test('32 raw bytes may be any: newlines, hex digits, zeros', async () => {
  for (const content of ['0123456789abcdef0123456789abcdef', '\n'.repeat(32), '\0'.repeat(31).concat('\n')]) {
    expect(await readMasterKeyFile(keyFile(content), quiet)).toEqual(new Uint8Array(Buffer.from(content)))
  }
})

test.each([
  ['nothing', '', '0 bytes'],
  ['31 bytes', 'x'.repeat(31), '31 bytes'],
  ['32 characters and a newline', `${RAW}\n`, 'a newline at its end'],
  ['63 hex digits', HEX.slice(1), '63 bytes'],
  ['64 characters that are not all hex digits', `+f${HEX.slice(2)}`, '64 bytes'],
  ['a prefix', `0x${HEX}`, '66 bytes'],
  ['two newlines', `${HEX}\n\n`, '66 bytes'],
  ['a blank in place of the newline', `${HEX} `, '65 bytes'],
  ['white space before', ` ${HEX}`, '65 bytes'],
  ['a whole text', 'not a key '.repeat(1_000), '67 bytes or more'],
  ['UTF-16', Buffer.from(HEX, 'utf16le'), '67 bytes or more'],
])('a file of %s is an InvalidConfigError that does not show it (D-080)', async (_, content, hint) => {
  const error: unknown = await readMasterKeyFile(keyFile(content), quiet).catch((e: unknown) => e)
  expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG', message: expect.stringContaining(hint) })
  if (content.length > 20) expect(String(error)).not.toContain(content.slice(0, 20).toString())
})

test('a file that is missing, and a folder, are InvalidConfigErrors that name them', async () => {
  const missing = join(folder, 'missing.key')
  await expect(readMasterKeyFile(missing)).rejects.toMatchObject({
    code: 'ERR_ASHERAH_INVALID_CONFIG',
    message: expect.stringContaining(`${missing} is not there`),
    cause: { code: 'ENOENT' },
  })
  await expect(readMasterKeyFile(folder, { onWarning: () => {} })).rejects.toMatchObject({
    code: 'ERR_ASHERAH_INVALID_CONFIG',
  })
})

test.skipIf(process.platform === 'win32')(
  'a file that group or others can use is read with a warning (POSIX modes)',
  async () => {
    for (const mode of [0o640, 0o604, 0o620, 0o666, 0o644]) {
      const warnings: string[] = []
      const path = keyFile(RAW, mode)
      await readMasterKeyFile(path, { onWarning: (message) => warnings.push(message) })
      expect(warnings).toEqual([expect.stringContaining(`${path} (mode 0${mode.toString(8)})`)])
    }
    for (const mode of [0o600, 0o400]) await readMasterKeyFile(keyFile(RAW, mode), quiet)
  },
)

test.skipIf(process.platform === 'win32')(
  'without onWarning the warning goes to process.emitWarning (POSIX modes)',
  async () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await readMasterKeyFile(keyFile(RAW, 0o644))
    expect(emitWarning).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('chmod 600'), {
      code: 'ASHERAH_MASTER_KEY_FILE',
    })
    emitWarning.mockRestore()
  },
)

test('generateMasterKeyFile makes a file that only its owner can use, and that makes a KMS', async () => {
  const paths = ['a.key', 'b.key'].map((name) => join(folder, name))
  const keys: Uint8Array[] = []
  for (const path of paths) {
    await generateMasterKeyFile(path)
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'latin1')).toMatch(/^[0-9a-f]{64}\n$/)
    keys.push(await readMasterKeyFile(path, quiet))
  }
  expect(keys[0]).not.toEqual(keys[1])
  const [masterKey] = keys
  if (masterKey === undefined) return expect.fail('no key was read')
  const kms = createStaticKms({ masterKey })
  expect(await kms.decryptKey(await kms.encryptKey(RAW))).toEqual(new Uint8Array(RAW))
})

test('generateMasterKeyFile overwrites nothing, and needs the folder', async () => {
  const path = keyFile(RAW)
  await expect(generateMasterKeyFile(path)).rejects.toMatchObject({
    code: 'ERR_ASHERAH_INVALID_CONFIG',
    message: expect.stringContaining('never overwritten'),
  })
  expect(readFileSync(path)).toEqual(RAW)
  const nowhere = join(folder, 'missing', 'x.key')
  await expect(generateMasterKeyFile(nowhere)).rejects.toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG' })
})

test('a misspelt option is refused', async () => {
  const options = { signal: AbortSignal.timeout(1_000), onwarning: () => {} }
  await expect(readMasterKeyFile(keyFile(RAW), options)).rejects.toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG' })
})
