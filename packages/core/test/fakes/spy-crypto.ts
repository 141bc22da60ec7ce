import { createHeapSecrets, createNodeCrypto } from '../../src/backend.ts'
import type { CryptoProvider, KeyHandle, SecretFactory } from '../../src/index.ts'

/** Core's own crypto, with its key handles counted. */
export interface SpyCrypto extends CryptoProvider {
  /** Handles that were made and are not closed. */
  readonly open: number
  /** Handles that were ever made. */
  readonly made: number
  /** Runs before each call: throw to fail it. */
  before:
    | ((method: 'generateKey' | 'importKey' | 'wrapKey' | 'unwrapKey' | 'encryptRow' | 'decryptRow') => void)
    | undefined
  /** How many calls of a method there were. */
  readonly counts: Record<string, number>
}

export function createSpyCrypto(secrets: SecretFactory = createHeapSecrets()): SpyCrypto {
  const inner = createNodeCrypto({ secrets })
  const open = new Set<KeyHandle>()
  let made = 0
  const counts: Record<string, number> = {}
  const counted = <T>(method: Parameters<NonNullable<SpyCrypto['before']>>[0], work: () => T): T => {
    counts[method] = (counts[method] ?? 0) + 1
    spy.before?.(method)
    return work()
  }
  const kept = (handle: KeyHandle): KeyHandle => {
    made += 1
    open.add(handle)
    return handle
  }
  const spy: SpyCrypto = {
    kind: 'spy',
    before: undefined,
    counts,
    get made() {
      return made
    },
    get open() {
      for (const handle of open) if (handle.closed) open.delete(handle)
      return open.size
    },
    generateKey: () => counted('generateKey', () => kept(inner.generateKey())),
    importKey: (bytes) => counted('importKey', () => kept(inner.importKey(bytes))),
    exportKey: (key, use) => inner.exportKey(key, use),
    wrapKey: (key, parent) => counted('wrapKey', () => inner.wrapKey(key, parent)),
    unwrapKey: (wrapped, parent) => counted('unwrapKey', () => kept(inner.unwrapKey(wrapped, parent))),
    encryptRow: (key, plaintext) => counted('encryptRow', () => inner.encryptRow(key, plaintext)),
    decryptRow: (key, wrapped, data) => counted('decryptRow', () => inner.decryptRow(key, wrapped, data)),
    close: () => inner.close(),
  }
  return spy
}
