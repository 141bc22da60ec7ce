import type { AsherahConfig } from '@asherah/asherah'

/** The seeded master key (`tooling/seeded-markers.txt`). */
export const MASTER_KEY_HEX = '7365656465644d61737465724b6579546861744e6f626f64795072696e747321'

/** A config whose rows are gone with the factory. */
export const memoryConfig: AsherahConfig = {
  ServiceName: 'service',
  ProductID: 'product',
  Metastore: 'memory',
  KMS: 'static',
  StaticMasterKeyHex: MASTER_KEY_HEX,
}

/** The `code` of what a call throws. */
export function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    return String(Reflect.get(Object(error), 'code'))
  }
  return 'nothing was thrown'
}

/** The `code` of what a promise rejects with. */
export async function rejectionOf(call: () => Promise<unknown>): Promise<string> {
  let promise: Promise<unknown>
  try {
    promise = call()
  } catch {
    return 'it threw'
  }
  return promise.then(
    () => 'it resolved',
    (error: unknown) => String(Reflect.get(Object(error), 'code')),
  )
}
