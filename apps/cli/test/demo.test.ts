import { readdirSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { customerLines } from '../src/demo/customers.ts'
import { ensure, refusal } from '../src/demo/steps.ts'
import { runCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// Each test starts processes, on machines that may have more to do.
vi.setConfig({ testTimeout: 120_000 })

test('the demo shows and checks every step, and leaves nothing', async () => {
  const cwd = tempFolder()
  const { code, stdout, stderr } = await runCli(['demo', '--rows', '2000'], { cwd })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const text = stdout.toString()
  expect(text).toContain('2,000 made-up customers of 200 tenants')
  expect(text).toContain('201 keys created: 1 system, 200 intermediate')
  expect(text).toMatch(/ssn +\d{3}-\d{2}-\d{4}\n/)
  expect(text).toMatch(/ssn +\{"Key":/)
  expect(text).toMatch(/WrongPartitionError: /)
  expect(text).toMatch(/DecryptionError: /)
  expect(text).toContain('keys before  1 system (1 valid, 0 expired), 200 intermediate (200 valid, 0 expired)')
  expect(text).toContain('keys after   2 system (1 valid, 1 expired), 400 intermediate (200 valid, 200 expired)')
  expect(text.match(/the same bytes as customers.csv/g)).toHaveLength(2)
  expect(text).toMatch(/All checks passed, in [\d.]+ s\.\n$/)
  expect(readdirSync(cwd)).toEqual([])
})

test('the demo is not led astray by variables or a config file of the folder', async () => {
  const cwd = tempFolder()
  const env = { ASHERAH_SERVICE: '', ASHERAH_FORMAT: 'jsonl', ASHERAH_MASTER_KEY_HEX: 'x', ASHERAH_CONFIG: 'none.json' }
  expect(await runCli(['demo', '--rows', '100'], { cwd, env })).toMatchObject({ code: 0 })
})

test('a check that does not hold fails the demo', async () => {
  expect(() => ensure(false, 'the files differ')).toThrow('the files differ')
  await expect(refusal('ERR_ASHERAH_WRONG_PARTITION', async () => 'plaintext')).rejects.toThrow(
    /expected ERR_ASHERAH_WRONG_PARTITION/,
  )
})

test('the customer file is the same each time, and has what real files have', () => {
  const text = [...customerLines({ rows: 1_000, tenants: 200 })].join('')
  expect(text).toBe([...customerLines({ rows: 1_000, tenants: 200 })].join(''))
  for (const feature of [/""/, /"[^"\n]*\n[^"]*"/, /,,|,\n/, /[一-龯]/, /⭐/, /^"C000010","tenant-/m])
    expect(text).toMatch(feature)
})
