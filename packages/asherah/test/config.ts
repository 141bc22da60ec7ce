import type { AsherahConfig } from '@asherah/asherah'

/** 64 hex digits that are no key of anybody. */
export const MASTER_KEY_HEX = '1f8e3ac47b902d5566c4f0a9e1b37d8812fe6a4b9c03d7e5a8416b2d90cf7e35'

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
