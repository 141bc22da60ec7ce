import { EventEmitter } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SEEDED_MASTER_KEY_HEX } from '@asherah/testing/tools'
import { describe, expect, test } from 'vitest'
import { type PromptInput, promptHidden } from '../../src/keys/hidden-prompt.ts'
import { openMasterKey } from '../../src/keys/master-key.ts'
import { createSettings } from '../../src/settings.ts'
import { tempFolder } from '../temp-folder.ts'

const hex = SEEDED_MASTER_KEY_HEX
const otherHex = 'ff112233445566778899aabbccddeeff'.repeat(2)

function open(flags: object, env: Record<string, string>, prompt?: () => Promise<string>) {
  const warnings: string[] = []
  const settings = createSettings({ flags: { ...flags }, env, file: undefined })
  const kms = openMasterKey({ settings, env, prompt, warn: (message) => warnings.push(message) })
  return { kms, warnings }
}

/** Which of the two keys a KMS has. */
async function isFirst(kms: Awaited<ReturnType<typeof openMasterKey>>): Promise<boolean> {
  const first = await openMasterKey({
    settings: createSettings({ flags: {}, env: {}, file: undefined }),
    env: { ASHERAH_MASTER_KEY_HEX: hex },
    prompt: undefined,
    warn() {},
  })
  const wrapped = await first.encryptKey(Buffer.alloc(32, 1))
  return kms.decryptKey(wrapped).then(
    () => true,
    () => false,
  )
}

function keyFile(text: string, mode = 0o600): string {
  const path = join(tempFolder(), 'key')
  writeFileSync(path, text, { mode })
  return path
}

describe('the master key comes from', () => {
  test('the flag, before the variable', async () => {
    const { kms } = open({ masterKeyFile: keyFile(hex) }, { ASHERAH_MASTER_KEY_HEX: otherHex })
    expect(await isFirst(await kms)).toBe(true)
  })

  test('the variable with the key', async () => {
    expect(await isFirst(await open({}, { ASHERAH_MASTER_KEY_HEX: hex }).kms)).toBe(true)
    expect(await isFirst(await open({}, { ASHERAH_MASTER_KEY_HEX: otherHex }).kms)).toBe(false)
  })

  test('the variable with its file, not together with the other', async () => {
    const env = { ASHERAH_MASTER_KEY_FILE: keyFile(hex) }
    expect(await isFirst(await open({}, env).kms)).toBe(true)
    await expect(open({}, { ...env, ASHERAH_MASTER_KEY_HEX: hex }).kms).rejects.toThrow(/not both/)
  })

  test('the prompt, last', async () => {
    expect(await isFirst(await open({}, {}, async () => ` ${hex}\n`).kms)).toBe(true)
    const { kms } = open({}, { ASHERAH_MASTER_KEY_HEX: hex }, () => Promise.reject(new Error('asked')))
    expect(await isFirst(await kms)).toBe(true)
  })
})

test('D-046, D-117: a bad or missing key is refused, there is no default, and no message shows any of it', async () => {
  const bad = `${hex.slice(0, 60)}zz`
  for (const { kms } of [
    open({}, { ASHERAH_MASTER_KEY_HEX: bad }),
    open({}, {}, async () => bad),
    open({ masterKeyFile: keyFile(bad) }, {}),
  ]) {
    const error = await kms.catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG' })
    expect(String(error)).not.toContain(hex.slice(0, 8))
  }
  await expect(open({}, {}).kms).rejects.toThrow(/no master key: give --master-key-file FILE/)
})

test('a file that others can read gets a warning', async () => {
  const { kms, warnings } = open({ masterKeyFile: keyFile(hex, 0o644) }, {})
  await kms
  expect(warnings).toEqual([expect.stringMatching(/chmod 600/)])
})

describe('the prompt', () => {
  function terminal() {
    const events = new EventEmitter()
    const raw: boolean[] = []
    let shown = ''
    const input: PromptInput = {
      setRawMode: (mode) => raw.push(mode),
      resume: () => undefined,
      pause: () => undefined,
      on: (event, listener) => events.on(event, listener),
      off: (event, listener) => events.off(event, listener),
    }
    return {
      input,
      raw,
      type: (text: string) => events.emit('data', Buffer.from(text)),
      write: (text: string) => (shown += text),
      shown: () => shown,
    }
  }

  test('takes a line with corrections, and shows nothing of it', async () => {
    const { input, raw, type, write, shown } = terminal()
    const answer = promptHidden('Key: ', input, { write })
    type('abx')
    type('\u007fc')
    type('d\r')
    expect(await answer).toBe('abcd')
    expect(shown()).toBe('Key: \n')
    expect(raw).toEqual([true, false])
  })

  test('Ctrl-C interrupts, and the terminal is as before', async () => {
    const { input, raw, type, write } = terminal()
    const answer = promptHidden('Key: ', input, { write })
    type('ab\u0003')
    await expect(answer).rejects.toMatchObject({ signal: 'SIGINT' })
    expect(raw).toEqual([true, false])
  })
})
