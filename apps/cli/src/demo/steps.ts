import { createReadStream } from 'node:fs'
import { AsherahError, type AsherahErrorCode, type Clock, parseDataRowRecord } from '@asherah/core'
import { decodeCell } from '../formats/csv-cell.ts'
import { scanCsv } from '../formats/csv-scanner.ts'
import type { Cipher } from '../formats/format.ts'
import { maxEncryptedRowBytes } from '../formats/text.ts'
import { listKeys } from '../keys/key-list.ts'
import { metastorePlace } from '../keys/metastore-url.ts'

/** A check of the demo that did not hold: the command fails. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure'
}

/** @throws DemoFailure */
export function ensure(holds: boolean, message: string): void {
  if (!holds) throw new DemoFailure(message)
}

/** The system's clocks, moved on by some days. */
export function clockIn(days: number): Clock {
  return { now: () => Date.now() + days * 86_400_000, monotonicMs: () => performance.now() }
}

/** The cells of the first rows after the header. */
export async function readRows(path: string, count: number): Promise<string[][]> {
  const rows: string[][] = []
  const options = { delimiter: 0x2c, maxRowBytes: maxEncryptedRowBytes, line: 1, atStart: true }
  for await (const block of scanCsv(createReadStream(path), options)) {
    for (const row of block.rows) {
      rows.push(
        row.cells.map((start, index) => {
          const next = row.cells[index + 1]
          const cell = block.bytes.subarray(start, next === undefined ? row.contentEnd : next - 1)
          return Buffer.from(decodeCell(cell, 0x2c).value).toString()
        }),
      )
      if (rows.length > count) return rows.slice(1)
    }
  }
  return rows.slice(1)
}

/** Tries what must fail, and returns the message that it failed with. @throws DemoFailure when it works. */
export async function refusal(code: AsherahErrorCode, action: () => Promise<unknown>): Promise<string> {
  try {
    await action()
  } catch (error) {
    if (error instanceof AsherahError && error.code === code) return `${error.name}: ${error.message}`
    throw error
  }
  throw new DemoFailure(`expected ${code}, but it was read`)
}

/** A record whose key is said to be the one of another record. */
export function relabel(record: string, other: string): string {
  const { key, data } = parseDataRowRecord(record)
  const { parentKeyMeta } = parseDataRowRecord(other).key
  return JSON.stringify({
    Key: {
      Created: key.created,
      Key: Buffer.from(key.encryptedKey).toString('base64'),
      ParentKeyMeta: { KeyId: parentKeyMeta.keyId, Created: parentKeyMeta.created },
    },
    Data: Buffer.from(data).toString('base64'),
  })
}

/** How many keys of which state a metastore has. */
export async function countKeys(metastoreUrl: string, now: number): Promise<string> {
  const metastore = await metastorePlace(metastoreUrl).open()
  const counts = new Map<string, number>()
  try {
    for await (const key of listKeys({ metastore, now, expireAfterMs: 90 * 86_400_000 })) {
      const name = `${key.kind} ${key.state}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  } finally {
    await metastore.close()
  }
  const of = (kind: string): string => {
    const valid = counts.get(`${kind} valid`) ?? 0
    const expired = counts.get(`${kind} expired`) ?? 0
    return `${valid + expired} ${kind} (${valid} valid, ${expired} expired)`
  }
  return `${of('system')}, ${of('intermediate')}`
}

/** Decrypts one text. */
export async function readText(cipher: Cipher, partition: string, record: string): Promise<string> {
  return Buffer.from(await cipher.decrypt(partition, record)).toString()
}
