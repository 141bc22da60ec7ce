import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { VectorFile } from '@asherah/testing/tools'
import { loadVectors } from '@asherah/testing/tools'

const folder = join(import.meta.dirname, '..', 'vectors')

/** The names of all vector files, sorted. */
export function vectorFiles(): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
}

/**
 * One file of `interop/vectors`.
 *
 * @throws Error when the file is of another format.
 */
export async function vectorsOf<F extends VectorFile['format']>(
  file: string,
  format: F,
): Promise<Extract<VectorFile, { format: F }>> {
  const vectors = await loadVectors(join(folder, file))
  if (!isOf(vectors, format)) throw new Error(`${file} is of the format ${vectors.format}, not ${format}`)
  return vectors
}

function isOf<F extends VectorFile['format']>(
  vectors: VectorFile,
  format: F,
): vectors is Extract<VectorFile, { format: F }> {
  return vectors.format === format
}
