import { extname } from 'node:path'
import { InvalidConfigError } from '@asherah/core'
import { createCsvCodec } from './formats/csv.ts'
import { createFileDecryptor, createFileEncryptor, createRecordEncryptor, maxChunkBytes } from './formats/file.ts'
import type { Cipher, Codec, Direction, FormatName, PartitionSource } from './formats/format.ts'
import { createJsonlCodec } from './formats/jsonl.ts'
import type { RunOptions } from './io/journal.ts'
import { chosenMetastore, type MetastorePlace } from './keys/metastore-url.ts'
import { parseDuration, parseSize, type Settings } from './settings.ts'

/** What a run does, all options checked. */
export interface Plan {
  readonly direction: Direction
  readonly format: FormatName
  readonly service: string
  readonly product: string
  readonly metastore: MetastorePlace
  readonly expireAfterMs: number | undefined
  readonly fields: readonly string[]
  readonly partition: PartitionSource
  readonly delimiter: string
  readonly allowMissing: boolean
  /** In bytes. */
  readonly chunkBytes: number
  readonly concurrency: number
}

const formats: readonly FormatName[] = ['csv', 'jsonl', 'file', 'record']
const formatOfExtension: Readonly<Record<string, FormatName>> = {
  '.csv': 'csv',
  '.tsv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
}
const defaultChunkBytes = 1024 * 1024
const defaultConcurrency = 256
const maxConcurrency = 65_536

/** Checks the settings of `encrypt` and `decrypt`. @throws InvalidConfigError */
export function createPlan(direction: Direction, settings: Settings, inputPath: string | undefined): Plan {
  const fields = settings.list('field')
  const format = chooseFormat(settings, inputPath, fields)
  const rows = format === 'csv' || format === 'jsonl'
  if (rows && fields.length === 0) {
    throw new InvalidConfigError(
      `--field is missing: name each ${format.toUpperCase()} field to ${direction} (or --format file for the file as a whole)`,
    )
  }
  if (new Set(fields).size < fields.length) throw new InvalidConfigError('--field names a field twice')
  const partition = choosePartition(settings, rows)
  if (partition.kind === 'field' && fields.includes(partition.field)) {
    throw new InvalidConfigError('--partition-field cannot be one of the encrypted fields: decrypting has to read it')
  }
  refuseUnused(settings, 'delimiter', format === 'csv', '--format csv')
  refuseUnused(settings, 'allowMissing', format === 'jsonl', '--format jsonl')
  refuseUnused(settings, 'chunkSize', format === 'file' && direction === 'encrypt', 'encrypt --format file')
  const chunkSize = settings.given('chunkSize')
  const expireAfter = settings.given('expireAfter')
  return {
    direction,
    format,
    service: settings.required('service'),
    product: settings.required('product'),
    metastore: chosenMetastore(settings),
    expireAfterMs: expireAfter === undefined ? undefined : parseDuration(expireAfter),
    fields,
    partition,
    delimiter: chooseDelimiter(settings, inputPath),
    allowMissing: settings.flag('allowMissing'),
    chunkBytes: chunkSize === undefined ? defaultChunkBytes : parseSize(chunkSize, { min: 1, max: maxChunkBytes }),
    concurrency: settings.integer('concurrency', { min: 1, max: maxConcurrency }) ?? defaultConcurrency,
  }
}

/** The codec of a plan. */
export function createCodec(plan: Plan, cipher: Cipher): Codec {
  const { direction, format, partition } = plan
  const rows = { direction, cipher, fields: plan.fields, partition, concurrency: plan.concurrency }
  if (format === 'csv') return createCsvCodec({ ...rows, delimiter: plan.delimiter })
  if (format === 'jsonl') return createJsonlCodec({ ...rows, allowMissing: plan.allowMissing })
  if (partition.kind === 'field') throw new InvalidConfigError('--partition is missing')
  const whole = { cipher, partition: partition.partition }
  if (direction === 'decrypt') return createFileDecryptor(whole)
  return format === 'record'
    ? createRecordEncryptor(whole)
    : createFileEncryptor({ ...whole, chunkBytes: plan.chunkBytes })
}

/** What a resumed run must have in common with the one that was interrupted. */
export function runOptions(plan: Plan): RunOptions {
  const { partition } = plan
  return {
    command: plan.direction,
    format: plan.format,
    service: plan.service,
    product: plan.product,
    // The journal keeps this: no password.
    metastore: plan.metastore.label,
    field: plan.fields.join(','),
    [partition.kind === 'field' ? 'partition field' : 'partition']:
      partition.kind === 'field' ? partition.field : partition.partition,
    delimiter: plan.delimiter,
    'allow-missing': String(plan.allowMissing),
    'chunk size': String(plan.chunkBytes),
  }
}

function chooseFormat(settings: Settings, inputPath: string | undefined, fields: readonly string[]): FormatName {
  const text = settings.text('format')
  if (text !== undefined) {
    const format = formats.find((name) => name === text)
    if (format === undefined) {
      throw new InvalidConfigError(`${settings.given('format')?.source} must be one of ${formats.join(', ')}`)
    }
    return format
  }
  const format = formatOfExtension[extname(inputPath ?? '').toLowerCase()] ?? 'file'
  if (format === 'file' && settings.given('field')?.origin === 'flag' && fields.length > 0) {
    throw new InvalidConfigError('--field needs rows: say --format csv or --format jsonl')
  }
  return format
}

function choosePartition(settings: Settings, rows: boolean): PartitionSource {
  const partition = settings.given('partition')
  const field = settings.given('partitionField')
  if (!rows && field?.origin === 'flag') {
    throw new InvalidConfigError('--partition-field needs rows: a whole file takes --partition')
  }
  const order = { flag: 0, env: 1, file: 2 }
  if (rows && partition !== undefined && field !== undefined && partition.origin === field.origin) {
    throw new InvalidConfigError(`give ${partition.source} or ${field.source}, not both`)
  }
  const useField = field !== undefined && (partition === undefined || order[field.origin] < order[partition.origin])
  if (rows && useField) return { kind: 'field', field: settings.required('partitionField') }
  if (rows && partition === undefined) {
    throw new InvalidConfigError('--partition-field (or --partition for all rows) is missing')
  }
  return { kind: 'fixed', partition: settings.required('partition') }
}

function chooseDelimiter(settings: Settings, inputPath: string | undefined): string {
  const text = settings.text('delimiter')
  if (text === undefined) return extname(inputPath ?? '').toLowerCase() === '.tsv' ? '\t' : ','
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : text
  if (!/^[\t\x20-\x7e]$/.test(delimiter) || delimiter === '"') {
    throw new InvalidConfigError(`${settings.given('delimiter')?.source} must be one ASCII character, or tab`)
  }
  return delimiter
}

/** A flag that would do nothing is refused; variables and config files serve many runs and may say more. */
function refuseUnused(
  settings: Settings,
  name: 'delimiter' | 'allowMissing' | 'chunkSize',
  used: boolean,
  where: string,
): void {
  const given = settings.given(name)
  if (!used && given?.origin === 'flag') throw new InvalidConfigError(`${given.source} is for ${where} only`)
}
