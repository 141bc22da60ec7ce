import { DecryptionError, WrongPartitionError } from '@asherah/core'
import type { Batch, Cipher, Codec, Position } from '../src/formats/format.ts'
import { startPosition } from '../src/formats/format.ts'

/** A cipher whose records have the shape of real ones, and whose "encryption" is base64 of the bytes reversed. */
export const fakeCipher: Cipher = {
  async encrypt(partition, plaintext) {
    const Data = Buffer.from(plaintext).reverse().toString('base64')
    return JSON.stringify({ Key: { Created: 1, Key: 'x', ParentKeyMeta: { KeyId: partition, Created: 1 } }, Data })
  },
  async decrypt(partition, record) {
    const { Key, Data } = JSON.parse(Buffer.from(record).toString())
    if (Key.ParentKeyMeta.KeyId !== partition) throw new WrongPartitionError('the record is of another partition')
    if (Data === 'altered') throw new DecryptionError('the tag does not verify')
    return Uint8Array.from(Buffer.from(Data, 'base64').reverse())
  },
}

/** What a codec made of an input. */
export interface CodecRun {
  readonly output: Buffer
  readonly batches: readonly Batch[]
  readonly end: Position
}

/** Runs a codec over bytes that come in pieces of the given sizes, over and over. */
export async function runCodec(
  codec: Codec,
  input: string | Uint8Array,
  options: { readonly pieces?: readonly number[]; readonly from?: Position } = {},
): Promise<CodecRun> {
  const bytes = Buffer.from(input)
  const pieces = options.pieces ?? [65_536]
  async function* open(from: number): AsyncGenerator<Uint8Array> {
    for (let at = from, turn = 0; at < bytes.length; turn++) {
      const size = pieces[turn % pieces.length] ?? 1
      // A copy, so that a codec that keeps a view of an earlier piece would be seen.
      yield Uint8Array.from(bytes.subarray(at, at + size))
      at += size
    }
  }
  const batches: Batch[] = []
  let end = options.from ?? startPosition
  for await (const batch of codec(open, end)) {
    batches.push({ output: Uint8Array.from(batch.output), position: batch.position })
    end = batch.position
  }
  return { output: Buffer.concat(batches.map((batch) => batch.output)), batches, end }
}
