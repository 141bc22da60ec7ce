import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCsvCodec } from '../../src/formats/csv.ts'
import type { Direction, PartitionSource } from '../../src/formats/format.ts'
import { fakeCipher, runCodec } from '../fake-cipher.ts'
import { csvFile } from '../generate-csv.ts'

const byTenant: PartitionSource = { kind: 'field', field: 'tenant' }

function codec(
  direction: Direction,
  options: { fields?: string[]; partition?: PartitionSource; delimiter?: string } = {},
) {
  return createCsvCodec({
    direction,
    cipher: fakeCipher,
    fields: options.fields ?? ['secret'],
    partition: options.partition ?? byTenant,
    concurrency: 4,
    delimiter: options.delimiter ?? ',',
  })
}

async function encrypt(text: string, options: Parameters<typeof codec>[1] = {}): Promise<string> {
  return (await runCodec(codec('encrypt', options), text)).output.toString()
}

async function decrypt(text: string, options: Parameters<typeof codec>[1] = {}): Promise<string> {
  return (await runCodec(codec('decrypt', options), text)).output.toString()
}

const fields = ['größe', 'secret']

test('a file comes back byte for byte, and only the chosen cells change', async () => {
  await fc.assert(
    fc.asyncProperty(csvFile(), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), async (file, pieces) => {
      const options = { fields, delimiter: file.delimiter }
      const encrypted = await runCodec(codec('encrypt', options), file.text, { pieces })
      const decrypted = await runCodec(codec('decrypt', options), encrypted.output, { pieces })
      expect(decrypted.output.equals(Buffer.from(file.text))).toBe(true)

      const read = (text: string): string[][] =>
        parse(text, {
          bom: true,
          delimiter: file.delimiter,
          relax_column_count: true,
          record_delimiter: ['\r\n', '\n'],
        })
      const before = read(file.text)
      const after = read(encrypted.output.toString())
      expect(after.map((row) => [row[0], row[1], row[3]])).toEqual(before.map((row) => [row[0], row[1], row[3]]))
      const values = after.slice(1).filter((row) => row.length > 1)
      expect(values.every((row) => row[2]?.startsWith('{"Key":'))).toBe(true)
      expect(encrypted.end).toMatchObject({
        input: Buffer.byteLength(file.text),
        rows: values.length,
        values: 2 * values.length,
      })
    }),
    { numRuns: 200 },
  )
})

test('a run that goes on from any position gives what is missing', async () => {
  await fc.assert(
    fc.asyncProperty(csvFile(), async (file) => {
      const options = { fields, delimiter: file.delimiter }
      const whole = await runCodec(codec('encrypt', options), file.text, { pieces: [7] })
      for (const { position } of whole.batches.slice(0, -1)) {
        const rest = await runCodec(codec('encrypt', options), file.text, { from: position, pieces: [9] })
        expect(Buffer.concat([whole.output.subarray(0, position.output), rest.output]).equals(whole.output)).toBe(true)
        expect(rest.end).toEqual(whole.end)
      }
    }),
    { numRuns: 40 },
  )
})

test('bytes that are not UTF-8 are kept, in encrypted cells too', async () => {
  const input = Buffer.from('tenant,secret,note\nt,caf\xe9,\xff\xfe\nt,"\xe9 ""x""",\x80\n', 'latin1')
  const encrypted = await runCodec(codec('encrypt'), input)
  expect(encrypted.output.includes('\xff\xfe', 0, 'latin1')).toBe(true)
  const decrypted = await runCodec(codec('decrypt'), encrypted.output)
  expect(decrypted.output.equals(input)).toBe(true)
})

describe('what is encrypted', () => {
  test('is the value of the cell, so that another reader gets it without quotes', async () => {
    const text = await encrypt('tenant,secret\nt,"Ann ""A"", Inc"\n')
    const record = parse(text)[1]?.[1] ?? ''
    expect(Buffer.from(await fakeCipher.decrypt('t', record)).toString()).toBe('Ann "A", Inc')
  })

  test('D-094: an empty cell is encrypted too', async () => {
    const text = await encrypt('tenant,secret\nt,\n')
    expect(parse(text)[1]?.[1]).toContain('"Data":""')
    expect(await decrypt(text)).toBe('tenant,secret\nt,\n')
  })

  test('quotes without need are marked by a member of the record, and only those', async () => {
    const text = await encrypt('tenant,secret\nt,plain\nt,"plain"\nt,"a,b"\nt,""\n')
    expect(parse(text).map((row: string[]) => row[1]?.includes('"Quoted":true'))).toEqual([
      false,
      false,
      true,
      false,
      true,
    ])
    expect(await decrypt(text)).toBe('tenant,secret\nt,plain\nt,"plain"\nt,"a,b"\nt,""\n')
  })

  test('a record in another layout is read: other order of members, white space', async () => {
    const record = '{ "Quoted" : true,"Data":"eA==", "Key":{"ParentKeyMeta":{"KeyId":"t"}}}'
    expect(await decrypt(`tenant,secret\nt,"${record.replaceAll('"', '""')}"\n`)).toBe('tenant,secret\nt,"x"\n')
  })

  test('one partition for all rows, and a file of one column with an empty row', async () => {
    const options = { partition: { kind: 'fixed', partition: 'p' } as const }
    const encrypted = await encrypt('secret\na\n\nb', options)
    expect(encrypted.split('\n')).toHaveLength(4)
    expect(await decrypt(encrypted, options)).toBe('secret\na\n\nb')
  })
})

test.each([
  ['missing column', 'a,tenant\n1,2\n', { line: 1, column: 1 }, /no column 'secret' in the header's 2 columns/],
  ['another delimiter', 'secret;tenant\n1;2\n', { line: 1, column: 1 }, /header's 1 column: .*--delimiter ';'/],
  ['tabs', 'secret\ttenant\n1\t2\n', { line: 1, column: 1 }, /header's 1 column: .*--delimiter 'tab'/],
  ['missing partition column', 'a,secret\n1,2\n', { line: 1, column: 1 }, /no column 'tenant'/],
  ['column named twice', 'secret,tenant,secret\n1,2,3\n', { line: 1, column: 15 }, /names 'secret' twice/],
  ['empty file', '', { line: 1, column: 1 }, /empty/],
  ['row with too few cells', 'tenant,secret\nt,1\nt\n', { line: 3, column: 2 }, /1 cell, the header 2/],
  ['row with too many cells', 'tenant,secret\nt,1,x\n', { line: 2, column: 5 }, /3 cells, the header 2/],
  ['empty partition', 'tenant,secret\n,1\n', { line: 2, column: 1, field: 'tenant' }, /partition is empty/],
])('%s is an error at its place', async (_name, text, place, message) => {
  const error = await runCodec(codec('encrypt'), text).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT', place })
  expect(String(error)).toMatch(message)
})

test('a header that is near is named; data of a file without a header is not shown', async () => {
  await expect(encrypt('tenant,Secret \nt,1\n')).rejects.toThrow(/there is 'Secret '/)
  const error = await encrypt('17,Ann,123-45-6789\n').catch(String)
  expect(error).not.toMatch(/Ann|123/)
})

test('a cell that is not encrypted, altered, or of another partition is an error at its place', async () => {
  await expect(decrypt('tenant,secret\nt,plain\n')).rejects.toMatchObject({
    code: 'ERR_ASHERAH_INVALID_INPUT',
    place: { line: 2, column: 3, field: 'secret' },
  })
  const encrypted = await encrypt('tenant,secret\nt,"x\ny"\nt,y\n')
  await expect(decrypt(encrypted.replace('\nt,"{', '\nu,"{'))).rejects.toMatchObject({
    code: 'ERR_ASHERAH_WRONG_PARTITION',
    place: { line: 2, column: 3 },
  })
  const altered = encrypted.replace(/""Data"":""[^"]*""}"\n$/, '""Data"":""altered""}"\n')
  await expect(decrypt(altered)).rejects.toMatchObject({ code: 'ERR_ASHERAH_DECRYPTION_FAILED', place: { line: 3 } })
})

test('of several bad cells the first in the file is reported', async () => {
  const text = 'tenant,secret\nt,ok\n,1\nt\n'
  await expect(encrypt(text)).rejects.toMatchObject({ place: { line: 3 } })
})
