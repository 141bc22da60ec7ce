import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SEEDED_MASTER_KEY_HEX } from '@asherah/testing/tools'
import { expect, test } from 'vitest'
import { startCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

const totalBytes = 220_000_000
/** Far below the input. Node alone takes about 60 MiB. */
const maxRssKiB = 400 * 1024

/** Writes the process's largest resident size, in KiB, when it exits. */
const rssProbe =
  "process.on('exit', () => require('node:fs').writeFileSync('rss', String(process.resourceUsage().maxRSS)))"

test.each([
  ['CSV', ['--format', 'csv', '--field', 'email', '--partition-field', 'tenant'], csvBlock],
  ['a whole file', ['--partition', 'p'], () => 'x'.repeat(65_536)],
] as const)(
  '%s of over 200 MB goes through a heap of 64 MiB',
  async (_name, flags, block) => {
    const cwd = tempFolder()
    writeFileSync(join(cwd, 'probe.cjs'), rssProbe)
    writeFileSync(join(cwd, 'master.key'), SEEDED_MASTER_KEY_HEX, { mode: 0o600 })
    const keys = [
      '--service',
      's',
      '--product',
      'p',
      '--metastore',
      'sqlite://keys.db',
      '--master-key-file',
      'master.key',
    ]
    const child = startCli(['encrypt', ...flags, ...keys, '--json'], {
      cwd,
      nodeArgs: ['--max-old-space-size=64', '--require', './probe.cjs'],
    })
    let bytesOut = 0
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => (bytesOut += chunk.length))
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk))
    child.stdin?.on('error', () => undefined)
    const closed = once(child, 'close')
    let sent = 0
    for (let index = 0; sent < totalBytes && child.exitCode === null; index++) {
      const text = index === 0 && flags.length > 2 ? `id,tenant,email,note\n${block(index)}` : block(index)
      sent += Buffer.byteLength(text)
      if (child.stdin?.write(text) === false) await Promise.race([once(child.stdin, 'drain'), closed])
    }
    child.stdin?.end()
    const [code] = await closed
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stderr)).toMatchObject({ bytesIn: sent, bytesOut })
    expect(bytesOut).toBeGreaterThan(totalBytes)
    expect(Number(readFileSync(join(cwd, 'rss'), 'utf8'))).toBeLessThan(maxRssKiB)
  },
  120_000,
)

/** Long rows, so that the time goes into the stream and not into the cipher; partitions in no order. */
function csvBlock(index: number): string {
  const rows = Array.from({ length: 16 }, (_, row) => {
    const number = index * 16 + row
    return `${number},t${(number * 7_919) % 300},user${number}@example.com,"${'note, '.repeat(1_500)}"\n`
  })
  return rows.join('')
}
