import { createHash } from 'node:crypto'
import { AsherahError, channels, type EnvelopeKeyRecord, InvalidConfigError, type Metastore } from '@asherah/core'
import type { Plan } from './plan.ts'

/** Starts the ids of the rows that hold a layout. Not the id of asherah-ffi's guard, whose row has another content. */
const PREFIX = '_ASHERAH_LAYOUT_'

/**
 * Compares the layout of this config with the one that the metastore was first used with, and records it when there is none.
 *
 * The layout is what must be equal in every process: service, product, kind of KMS, and whether ids have a suffix. Regions, ARNs,
 * tables, pools and durations may differ and change. The record is a row of the metastore, under an id that no key has: its
 * `encryptedKey` is a SHA-256 of the layout, which nobody decrypts.
 *
 * @throws InvalidConfigError when it differs, unless the config says `ConfigDriftForceRun` or `ConfigDriftForceUpdate`.
 */
export async function checkDrift(metastore: Metastore, plan: Plan): Promise<void> {
  const keyId = `${PREFIX}${plan.service}_${plan.product}`
  const layout = layoutOf(metastore, plan)
  const hash = createHash('sha256').update(layout).digest()
  const found = await metastore.loadLatest(keyId)
  if (found !== null && Buffer.compare(found.encryptedKey, padded(hash)) === 0) return
  if (found !== null && plan.driftForce === 'none') {
    throw new InvalidConfigError(
      `the metastore was first used with another layout than this config's (${layout}): records may not be readable. ` +
        'Correct the config; or ConfigDriftForceRun starts all the same, and ConfigDriftForceUpdate records this layout',
    )
  }
  if (found !== null && plan.driftForce === 'run') {
    warn('CONFIG_DRIFT', `the layout (${layout}) differs from the recorded one: ConfigDriftForceRun lets it start`)
    return
  }
  const created = Math.max(Math.floor(Date.now() / 1_000), found === null ? 1 : found.created + 1)
  const row: EnvelopeKeyRecord = { keyId, created, encryptedKey: padded(hash), revoked: false }
  try {
    await metastore.store(keyId, created, row)
  } catch (cause) {
    if (cause instanceof AsherahError && cause.code === 'ERR_ASHERAH_CLOSED') throw cause
    warn('CONFIG_DRIFT_UNRECORDED', 'the layout could not be recorded: the metastore refused to store it', cause)
  }
}

function layoutOf(metastore: Metastore, { service, product, kms }: Plan): string {
  const suffix = metastore.regionSuffix === undefined ? 'none' : 'region'
  return `service ${JSON.stringify(service)}, product ${JSON.stringify(product)}, KMS ${kms.kind}, suffix ${suffix}`
}

/** As long as a wrapped key, for metastores that check this. */
function padded(hash: Buffer): Uint8Array {
  return Buffer.concat([hash, Buffer.alloc(60 - hash.length)])
}

function warn(code: string, message: string, cause?: unknown): void {
  channels.warning.publish({ code, message, ...(cause !== undefined && { cause }) })
}
