import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { loadSettings, readConfigFile } from '../src/config-file.ts'
import { createPlan } from '../src/plan.ts'
import { createSettings, parseDuration, parseSize } from '../src/settings.ts'
import { tempFolder } from './temp-folder.ts'

const config = { code: 'ERR_ASHERAH_INVALID_CONFIG' }

function settings(flags: object = {}, env: Record<string, string> = {}, file?: object) {
  return createSettings({ flags: { ...flags }, env, file: file && { path: 'c.json', values: { ...file } } })
}

describe('precedence', () => {
  test('flags before variables before the config file', () => {
    const all = settings(
      { service: 'flag' },
      { ASHERAH_SERVICE: 'env', ASHERAH_PRODUCT: 'env' },
      {
        service: 'file',
        product: 'file',
        metastore: 'file',
      },
    )
    expect([all.text('service'), all.text('product'), all.text('metastore')]).toEqual(['flag', 'env', 'file'])
  })

  test('a list is one source, not a mixture', () => {
    expect(settings({ field: ['a', 'b'] }, { ASHERAH_FIELD: 'c' }).list('field')).toEqual(['a', 'b'])
    expect(settings({}, { ASHERAH_FIELD: 'c,d' }, { field: ['e'] }).list('field')).toEqual(['c', 'd'])
    expect(settings({}, {}, { field: ['e', 'f,g'] }).list('field')).toEqual(['e', 'f,g'])
    expect(settings({}, {}, { field: 'e' }).list('field')).toEqual(['e'])
  })

  test('partition and partition field are one question: the nearer source answers it', () => {
    const base = { service: 's', product: 'p', metastore: 'sqlite://k', field: ['a'] }
    const plan = (flags: object, env: Record<string, string>) =>
      createPlan('encrypt', settings({ ...base, ...flags }, env), 'a.csv').partition
    expect(plan({ partition: 'x' }, { ASHERAH_PARTITION_FIELD: 'tenant' })).toEqual({ kind: 'fixed', partition: 'x' })
    expect(plan({ partitionField: 'tenant' }, { ASHERAH_PARTITION: 'x' })).toEqual({ kind: 'field', field: 'tenant' })
    expect(() => plan({ partitionField: 'tenant', partition: 'x' }, {})).toThrow(/not both/)
    expect(() => plan({}, {})).toThrow(/--partition-field \(or --partition/)
  })
})

describe('D-044: bad values name where they come from', () => {
  test.each([
    [() => settings({}, { ASHERAH_SERVICE: '' }).text('service'), /ASHERAH_SERVICE must be non-empty text/],
    [() => settings({}, {}, { service: 5 }).text('service'), /service in 'c.json' must be non-empty text/],
    [
      () => settings().required('service'),
      /--service is missing \(or ASHERAH_SERVICE, or "service" in a config file\)/,
    ],
    [() => settings({}, {}, { allowMissing: 'yes' }).flag('allowMissing'), /must be true or false/],
    [() => settings({}, { ASHERAH_ALLOW_MISSING: 'yes' }).flag('allowMissing'), /must be true or false/],
    [
      () => settings({ concurrency: '0' }).integer('concurrency', { min: 1, max: 9 }),
      /--concurrency must be a whole number from 1 to 9/,
    ],
    [() => settings({ concurrency: '1e1' }).integer('concurrency', { min: 1, max: 99 }), /whole number/],
  ])('%#', (action, message) => {
    expect(action).toThrow(expect.objectContaining({ ...config, message: expect.stringMatching(message) }))
  })

  test.each(['1', 'true', '0', 'false'])('a switch in a variable: %s', (text) => {
    expect(settings({}, { ASHERAH_ALLOW_MISSING: text }).flag('allowMissing')).toBe(text === '1' || text === 'true')
  })

  test('D-042: sizes and durations; a duration without a unit is refused', () => {
    const given = (value: unknown) => ({ value, source: '--x', origin: 'flag' }) as const
    const range = { min: 1, max: 2 ** 25 }
    expect([5, '5', '64KiB', '1 MiB', '2k'].map((text) => parseSize(given(text), range))).toEqual([
      5, 5, 65536, 1048576, 2048,
    ])
    expect(['1s', '2m', '3h', '90d'].map((text) => parseDuration(given(text)))).toEqual([1e3, 12e4, 108e5, 7776e6])
    for (const bad of ['0', '-1', '1.5MiB', '64GiB', '', 'x'])
      expect(() => parseSize(given(bad), range)).toThrow(/--x must be a size/)
    for (const bad of ['0s', '5', '1y', '', '-1d'])
      expect(() => parseDuration(given(bad))).toThrow(/--x must be a duration/)
  })
})

describe('config file', () => {
  test('D-043: unknown, misspelt and wrongly cased keys are refused, and the nearest is named', async () => {
    const path = join(tempFolder(), 'c.json')
    writeFileSync(path, '{"Service":"x"}')
    await expect(readConfigFile(path)).rejects.toThrow(/did you mean service/)
    writeFileSync(path, '{"servise":"x"}')
    await expect(readConfigFile(path)).rejects.toMatchObject({
      ...config,
      message: expect.stringMatching(/did you mean service/),
    })
  })

  test.each(['masterKey', 'master_key', 'masterKeyHex', 'MASTER-KEY-HEX'])(
    'a master key (%s) is refused',
    async (name) => {
      const path = join(tempFolder(), 'c.json')
      writeFileSync(path, JSON.stringify({ [name]: 'ab'.repeat(32) }))
      const error = await readConfigFile(path).catch((caught: unknown) => caught)
      expect(String(error)).toMatch(/cannot hold the master key/)
      expect(String(error)).not.toContain('abab')
    },
  )

  test.each(['[]', 'null', '"x"', '{', '{"a":1,}', '{"service":"a","service":"b"}'])('%s is refused', async (text) => {
    const path = join(tempFolder(), 'c.json')
    writeFileSync(path, text)
    await expect(readConfigFile(path)).rejects.toMatchObject(config)
  })

  test('D-111: bad JSON is an error at its place, and shows nothing of the text', async () => {
    const path = join(tempFolder(), 'c.json')
    writeFileSync(path, '{\n  "service": "S3CRET",\n  "product": S3CRET\n}')
    const error = await readConfigFile(path).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      ...config,
      message: expect.stringMatching(/c.json', line 3, column 14: bad JSON: invalid symbol$/),
    })
    expect(inspect(error)).not.toContain('S3CRET')
  })

  test('D-044: null is absent', async () => {
    const path = join(tempFolder(), 'c.json')
    writeFileSync(path, '{"service":null,"field":null}')
    const all = await loadSettings({ config: path }, {})
    expect(all.given('service')).toBeUndefined()
    expect(all.list('field')).toEqual([])
  })

  test('relative paths start at the folder of the file', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'sub'))
    const path = join(folder, 'sub', 'c.json')
    writeFileSync(path, '{"masterKeyFile":"k","metastore":"sqlite://keys.db"}')
    const all = await loadSettings({ config: path }, {})
    expect(all.text('masterKeyFile')).toBe(join(folder, 'sub', 'k'))
    expect(all.text('metastore')).toBe(`sqlite://${join(folder, 'sub', 'keys.db')}`)
    expect((await loadSettings({}, { ASHERAH_CONFIG: path })).configFile).toBe(path)
  })

  test('a named file must be there; the default one need not', async () => {
    const folder = tempFolder()
    expect(await readConfigFile(undefined, folder)).toBeUndefined()
    await expect(readConfigFile(join(folder, 'c.json'))).rejects.toThrow(/cannot read the config file '.*c.json'/)
  })
})

describe('plan', () => {
  const base = { service: 's', product: 'p', metastore: 'sqlite://k', partition: 'x' }
  const plan = (flags: object, input?: string, direction: 'encrypt' | 'decrypt' = 'encrypt') =>
    createPlan(direction, settings({ ...base, ...flags }), input)

  test.each([
    ['a.csv', 'csv', ','],
    ['a.TSV', 'csv', '\t'],
    ['a.jsonl', 'jsonl', ','],
    ['a.ndjson', 'jsonl', ','],
  ])('%s is %s', (input, format, delimiter) => {
    expect(plan({ field: ['a'] }, input)).toMatchObject({ format, delimiter })
  })

  test('anything else, and standard input, is a file; --format decides', () => {
    expect(plan({}, 'a.pdf').format).toBe('file')
    expect(plan({}).format).toBe('file')
    expect(plan({ format: 'file' }, 'a.csv').format).toBe('file')
    expect(plan({ format: 'csv', field: ['a'], delimiter: 'tab' })).toMatchObject({ format: 'csv', delimiter: '\t' })
  })

  test.each([
    [{}, 'a.csv', /--field is missing/],
    [{ field: ['a', 'a'] }, 'a.csv', /twice/],
    [{ field: ['a'] }, 'a.txt', /--field needs rows/],
    [{ field: ['a'] }, undefined, /--field needs rows/],
    [{ format: 'xml' }, undefined, /--format must be one of csv, jsonl, file, record/],
    [{ partition: undefined, partitionField: 't' }, 'a.txt', /--partition-field needs rows/],
    [{ partition: undefined }, 'a.txt', /--partition is missing/],
    [{ partition: undefined, partitionField: 'a', field: ['a'] }, 'a.csv', /cannot be one of the encrypted fields/],
    [{ delimiter: ';' }, 'a.txt', /--delimiter is for --format csv only/],
    [{ delimiter: '"', field: ['a'] }, 'a.csv', /one ASCII character/],
    [{ delimiter: '::', field: ['a'] }, 'a.csv', /one ASCII character/],
    [{ delimiter: '\n', field: ['a'] }, 'a.csv', /one ASCII character/],
    [{ allowMissing: true, field: ['a'] }, 'a.csv', /--allow-missing is for --format jsonl only/],
    [{ chunkSize: '1', field: ['a'] }, 'a.csv', /--chunk-size is for encrypt --format file only/],
    [{ chunkSize: '33MiB' }, 'a', /--chunk-size must be a size/],
    [{ service: undefined }, 'a', /--service is missing/],
  ])('%j of %s is refused', (flags, input, message) => {
    expect(() => plan(flags, input)).toThrow(
      expect.objectContaining({ ...config, message: expect.stringMatching(message) }),
    )
  })
})
