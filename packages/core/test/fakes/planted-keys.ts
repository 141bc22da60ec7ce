import { randomBytes } from 'node:crypto'
import { sealAes256Gcm } from '../../src/backend.ts'
import { SYSTEM_KEY_ID, type World } from './world.ts'

/** Writes a system key's row without core, and returns its bytes. */
export async function plantSystemKey(
  world: Pick<World, 'rows' | 'kms'>,
  created: number,
  options: { keyId?: string; revoked?: boolean } = {},
): Promise<Uint8Array> {
  const { keyId = SYSTEM_KEY_ID, revoked = false } = options
  const bytes = randomBytes(32)
  const encryptedKey = await world.kms.encryptKey(bytes)
  world.kms.encrypted.pop()
  world.kms.seen.pop()
  world.rows.put({ keyId, created, encryptedKey, revoked })
  return bytes
}

/** Writes an intermediate key's row without core, under a system key made by {@link plantSystemKey}. */
export function plantIntermediateKey(
  world: Pick<World, 'rows'>,
  keyId: string,
  created: number,
  parent: { readonly keyId?: string; readonly created: number; readonly bytes: Uint8Array },
): void {
  const parentKeyMeta = { keyId: parent.keyId ?? SYSTEM_KEY_ID, created: parent.created }
  const encryptedKey = sealAes256Gcm(randomBytes(32), parent.bytes)
  world.rows.put({ keyId, created, encryptedKey, revoked: false, parentKeyMeta })
}
