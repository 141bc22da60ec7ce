import { createHeapSecrets } from '../../src/backend.ts'
import type { Secret, SecretFactory } from '../../src/index.ts'

/** Heap secrets, counted; `inputs` are the buffers that were taken over: the same memory, not copies. */
export interface SpySecrets extends SecretFactory {
  readonly open: number
  readonly made: number
  readonly inputs: Uint8Array[]
  readonly closed: boolean
}

export function createSpySecrets(): SpySecrets {
  const inner = createHeapSecrets()
  const secrets: Secret[] = []
  const inputs: Uint8Array[] = []
  let closed = false
  const kept = (secret: Secret): Secret => {
    secrets.push(secret)
    return secret
  }
  return {
    inputs,
    get open() {
      return secrets.filter((secret) => !secret.closed).length
    },
    get made() {
      return secrets.length
    },
    get closed() {
      return closed
    },
    fromBytes(bytes) {
      inputs.push(bytes)
      return kept(inner.fromBytes(bytes))
    },
    createRandom: (length) => kept(inner.createRandom(length)),
    close() {
      closed = true
      inner.close()
    },
  }
}
