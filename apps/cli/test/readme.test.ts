import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { exitCodes } from '../src/exit-codes.ts'
import { settingSpecs } from '../src/settings.ts'
import { tempFolder } from './temp-folder.ts'

// Each test starts processes, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the first steps of the README work as they stand', () => {
  const cwd = tempFolder()
  const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
  writeFileSync(
    join(cwd, 'asherah'),
    `#!/bin/sh\nexec '${process.execPath}' --conditions=asherah-source '${bin}' "$@"\n`,
  )
  chmodSync(join(cwd, 'asherah'), 0o755)
  const script = /```sh\n(asherah keygen[\s\S]*?)```/.exec(readme)?.[1] ?? ''
  expect(script.split('\n').length).toBeLessThan(20)
  const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', script], {
    cwd,
    env: { PATH: `${cwd}${delimiter}${process.env.PATH}` },
    encoding: 'utf8',
  })
  expect(status, stderr).toBe(0)
  expect(stdout).toMatch(/_IK_acme_crm_shop .* valid/)
})

test('the README names every setting and every exit code', () => {
  for (const [name, { flag, env }] of Object.entries(settingSpecs)) {
    expect(readme).toMatch(new RegExp(`\\| \`${flag}[ \`].*\`${env}\`.*\`${name}\``))
  }
  for (const code of Object.values(exitCodes)) expect(readme).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'))
})
