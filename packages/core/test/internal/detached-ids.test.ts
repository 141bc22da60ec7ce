import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import {
  DEFAULT_MAX_PLAINTEXT_BYTES,
  parseDataRowRecord,
  parseEnvelopeKeyRecord,
  scanDataRowRecord,
} from '../../src/internal/record-codec.ts'
import { CREATED, SAMPLE_TEXT, SK_ID } from './record-samples.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

const LIMITS = { maxPlaintextBytes: DEFAULT_MAX_PLAINTEXT_BYTES }
const TEXTS = 64
const TEXT_LENGTH = 400_000

/** What stays on the heap, in bytes, while only `keep`'s results are held. */
function retained(keep: (index: number) => unknown): number {
  if (typeof collectGarbage !== 'function') throw new Error('this Node gives no gc function')
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  const kept = Array.from({ length: TEXTS }, (_, index) => keep(index))
  collectGarbage()
  const after = process.memoryUsage().heapUsed
  expect(new Set(kept).size).toBe(TEXTS)
  return after - before
}

const padding = (index: number): string => String(index).padStart(TEXT_LENGTH, 'A')
const rowText = (index: number): string =>
  SAMPLE_TEXT.replace('shopper', `shopper-${index}`).replace('"Data":"', `"Data":"${padding(index)}`)
const keyText = (index: number): string =>
  `{"Created":${CREATED},"Key":"${padding(index)}","ParentKeyMeta":{"KeyId":"${SK_ID}_${index}","Created":1}}`

// Ids live on in key caches: a slice would keep its whole text with it.
it.each([
  ['a parsed data row record', (index: number) => parseDataRowRecord(rowText(index)).key.parentKeyMeta.keyId],
  ['a scanned data row record', (index: number) => scanDataRowRecord(rowText(index), LIMITS)?.parentKeyId],
  [
    'a parsed envelope key record',
    (index: number) =>
      parseEnvelopeKeyRecord(keyText(index), { keyId: `_IK_${index}`, created: CREATED }).parentKeyMeta?.keyId,
  ],
])('the id of %s keeps no text alive', (_, keep) => {
  expect(retained(keep)).toBeLessThan((TEXTS * TEXT_LENGTH) / 4)
})

it('a slice would: the measurement sees it', () => {
  expect(retained((index) => rowText(index).slice(100, 140 + index))).toBeGreaterThan((TEXTS * TEXT_LENGTH) / 2)
})
