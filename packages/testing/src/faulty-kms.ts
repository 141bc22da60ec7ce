import type { KeyManagementService } from '@asherah/core/backend'
import { createMethodFaults, type MethodFaults, type MethodRunner } from './method-faults.ts'

/** Scripts what goes wrong in a {@link faultyKms}. */
export interface KmsFaults {
  readonly encryptKey: MethodFaults<Uint8Array>
  readonly decryptKey: MethodFaults<Uint8Array>
  /** Takes every fault back, releases what is held, and counts from 0. */
  reset(): void
}

interface KmsScript {
  readonly encryptKey: MethodRunner<Uint8Array>
  readonly decryptKey: MethodRunner<Uint8Array>
}

const scripts = new WeakMap<KmsFaults, KmsScript>()

/**
 * Makes a script without faults, for {@link faultyKms}.
 *
 * @example
 * const faults = createKmsFaults()
 * const kms = faultyKms(inner, faults)
 * faults.decryptKey.fail({ nth: 2 })
 */
export function createKmsFaults(): KmsFaults {
  const methods: KmsScript = {
    encryptKey: createMethodFaults<Uint8Array>('encryptKey'),
    decryptKey: createMethodFaults<Uint8Array>('decryptKey'),
  }
  const faults: KmsFaults = {
    ...methods,
    reset() {
      methods.encryptKey.reset()
      methods.decryptKey.reset()
    },
  }
  scripts.set(faults, methods)
  return faults
}

/** The KMS, with the faults of a script. */
export function faultyKms(kms: KeyManagementService, faults: KmsFaults): KeyManagementService {
  const script = scripts.get(faults)
  if (script === undefined) throw new TypeError('faults must come from createKmsFaults()')
  return {
    encryptKey: (key, call) => script.encryptKey.run([key, call?.key], call, () => kms.encryptKey(key, call)),
    decryptKey: (blob, call) => script.decryptKey.run([blob, call?.key], call, () => kms.decryptKey(blob, call)),
  }
}
