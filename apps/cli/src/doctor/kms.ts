import { randomBytes } from 'node:crypto'
import { AsherahError, type EnvelopeKeyRecord, type MetastoreFinding, type MetastoreReport } from '@asherah/core'
import { isoTime } from '../keys/key-state.ts'
import { missingRegions, type OpenKms } from '../keys/kms-setting.ts'

/**
 * What a KMS can do with the credentials that are here: it wraps and unwraps a random key, and unwraps a system key.
 *
 * @param systemKey undefined: none is named; null: the metastore has none.
 */
export async function inspectKms(
  kms: OpenKms,
  systemKey: EnvelopeKeyRecord | null | undefined,
): Promise<MetastoreReport> {
  const key = randomBytes(32)
  const findings = [
    await finding('round trip', async () => {
      const wrapped = await kms.encryptKey(key)
      const same = Buffer.from(await kms.decryptKey(wrapped)).equals(key)
      if (!same) return { level: 'fail', message: 'a key came back as another one' }
      const lacking = await missingRegions(kms, wrapped)
      if (lacking.length === 0) return { level: 'pass', message: 'a new key was wrapped and unwrapped' }
      return { level: 'warn', message: `a new key was wrapped and unwrapped, without ${lacking.join(', ')}` }
    }),
  ]
  if (systemKey === null) {
    findings.push({ level: 'warn', check: 'system key', message: 'the metastore has none of this id' })
  } else if (systemKey !== undefined) {
    findings.push(
      await finding('system key', async () => {
        const { keyId, created, encryptedKey, revoked } = systemKey
        const opened = await kms.decryptKey(encryptedKey, { key: { keyId, created }, revoked })
        opened.fill(0)
        const lacking = await missingRegions(kms, encryptedKey)
        const message = `the one of ${isoTime(created)} was unwrapped`
        if (lacking.length === 0) return { level: 'pass', message }
        return { level: 'warn', message: `${message}, but it lacks ${lacking.join(', ')}: see asherah keys repair` }
      }),
    )
  }
  return { ok: findings.every(({ level }) => level !== 'fail'), findings }
}

async function finding(
  check: string,
  examine: () => Promise<Omit<MetastoreFinding, 'check'>>,
): Promise<MetastoreFinding> {
  try {
    return { check, ...(await examine()) }
  } catch (error) {
    if (error instanceof AsherahError) return { level: 'fail', check, message: error.message }
    throw error
  }
}
