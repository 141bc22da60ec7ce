import { InvalidConfigError } from '@asherah/core'
import { createStaticKms, readMasterKeyFile, type StaticKms } from '@asherah/kms-static'
import { masterKeyVariable, type Settings } from '../settings.ts'

/** Where a master key may come from. */
export interface MasterKeySources {
  readonly settings: Settings
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks on the terminal; undefined where there is none, or where data comes from it. */
  readonly prompt: ((question: string) => Promise<string>) | undefined
  warn(message: string): void
}

/**
 * The KMS of the master key: from `--master-key-file`, else `ASHERAH_MASTER_KEY_HEX`, else
 * `ASHERAH_MASTER_KEY_FILE` or the config file's `masterKeyFile`, else a hidden prompt. Never from an argument.
 *
 * @throws InvalidConfigError when there is none, or both variables are set.
 */
export async function openMasterKey(sources: MasterKeySources): Promise<StaticKms> {
  const file = sources.settings.given('masterKeyFile')
  const masterKeyHex = sources.env[masterKeyVariable]
  if (masterKeyHex !== undefined && file?.origin === 'env') {
    throw new InvalidConfigError(`set ${masterKeyVariable} or ASHERAH_MASTER_KEY_FILE, not both`)
  }
  if (file !== undefined && (file.origin === 'flag' || masterKeyHex === undefined)) {
    const path = sources.settings.required('masterKeyFile')
    const masterKey = await readMasterKeyFile(path, { onWarning: (message) => sources.warn(message) })
    try {
      return createStaticKms({ masterKey })
    } finally {
      masterKey.fill(0)
    }
  }
  if (masterKeyHex !== undefined) return fromHex(masterKeyHex, masterKeyVariable)
  if (sources.prompt !== undefined)
    return fromHex((await sources.prompt('Master key (64 hex digits): ')).trim(), 'the master key')
  throw new InvalidConfigError(
    `no master key: give --master-key-file FILE (asherah keygen FILE makes one) or set ${masterKeyVariable}`,
  )
}

function fromHex(masterKeyHex: string, source: string): StaticKms {
  if (!/^[0-9a-f]{64}$/i.test(masterKeyHex)) throw new InvalidConfigError(`${source} must be 64 hex digits`)
  return createStaticKms({ masterKeyHex })
}
