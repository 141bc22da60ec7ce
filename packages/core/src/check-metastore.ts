import type { Call } from './contracts/call.ts'
import type { Metastore, MetastoreReport } from './contracts/metastore.ts'
import { InvalidInputError } from './errors.ts'

/**
 * Asks a metastore whether it is fit for use; never writes.
 *
 * @param options `keyId`: also load the latest key of this id.
 * @throws InvalidInputError when the metastore cannot check itself.
 */
export async function checkMetastore(
  metastore: Metastore,
  options: Call & { readonly keyId?: string } = {},
): Promise<MetastoreReport> {
  if (metastore.check === undefined) throw new InvalidInputError('this metastore has no check()')
  return metastore.check(options)
}
