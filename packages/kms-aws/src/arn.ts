/** What an ARN of a KMS key or alias says. */
export interface KeyArn {
  readonly region: string
  /** An alias's ARN: which key is behind it, only KMS knows. */
  readonly isAlias: boolean
  /** The id of a multi-region key (`mrk-…`), which is the same in every region that has a replica. */
  readonly multiRegionId: string | undefined
}

/** `arn:partition:kms:region:account:key/id` or `…:alias/name`. */
const KEY_ARN = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:(key|alias)\/([\w/-]+)$/

/** @returns `undefined` when the text is no ARN of a KMS key or alias. */
export function parseKeyArn(text: string): KeyArn | undefined {
  const [, region, kind, id] = KEY_ARN.exec(text) ?? []
  if (region === undefined || id === undefined) return undefined
  return { region, isAlias: kind === 'alias', multiRegionId: kind === 'key' && id.startsWith('mrk-') ? id : undefined }
}
