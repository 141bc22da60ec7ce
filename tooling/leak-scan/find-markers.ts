import {
  SEEDED_ACCOUNT,
  SEEDED_MASTER_KEY,
  SEEDED_MASTER_KEY_BASE64,
  SEEDED_MASTER_KEY_HEX,
  SEEDED_PLAINTEXT,
  SEEDED_SECRET,
} from '../../packages/testing/src/seeded-markers.ts'

/** What a text may not show, by the name that a report gives it. */
export type MarkerName =
  | 'server password'
  | 'password in a config'
  | 'static master key'
  | 'ARN account'
  | 'account in an ARN'
  | 'plaintext'
  | 'encoded plaintext'

/** The lines of `tooling/seeded-markers.txt`: what `.ci/run` looks for in the logs. Base64 may lack its padding. */
export const markerLines: readonly string[] = [
  SEEDED_SECRET,
  SEEDED_MASTER_KEY,
  SEEDED_MASTER_KEY_HEX,
  SEEDED_MASTER_KEY_BASE64.replaceAll('=', ''),
  SEEDED_ACCOUNT,
  SEEDED_PLAINTEXT,
]

const literals: readonly (readonly [MarkerName, string])[] = [
  ['server password', SEEDED_SECRET],
  ...[SEEDED_MASTER_KEY, ...encoded(SEEDED_MASTER_KEY)].map((form) => ['static master key', form] as const),
  ['ARN account', SEEDED_ACCOUNT],
  // What the connection strings and configs of many tests have for a password.
  ['password in a config', 'hunter2'],
  ['plaintext', SEEDED_PLAINTEXT],
  ...encoded(SEEDED_PLAINTEXT).map((form) => ['encoded plaintext', form] as const),
]

/** As Node prints the elements of a `Uint8Array`: on one line or several. */
const patterns: readonly (readonly [MarkerName, RegExp])[] = [
  ['static master key', elements(SEEDED_MASTER_KEY)],
  ['encoded plaintext', elements(SEEDED_PLAINTEXT)],
]

/** An ARN of any account, such as moto's. */
const ARN_ACCOUNT = /\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:\d{12}\b/

/** Hexadecimal in both cases and as Node prints a `Buffer`, and base64. */
function encoded(text: string): string[] {
  const bytes = firstBytes(text)
  const hex = bytes.toString('hex')
  return [hex, hex.toUpperCase(), hex.replace(/..(?=.)/g, '$& '), bytes.toString('base64')]
}

function elements(text: string): RegExp {
  return new RegExp([...firstBytes(text)].join(',\\s+'))
}

/** A piece is a leak too; and base64 of all depends on what comes after, but of a multiple of three bytes it does not. */
function firstBytes(text: string): Buffer {
  return Buffer.from(text).subarray(0, 18)
}

/** The names of the markers that a text shows. */
export function findMarkers(text: string): MarkerName[] {
  const found = new Set<MarkerName>()
  for (const [name, literal] of literals) if (text.includes(literal)) found.add(name)
  for (const [name, pattern] of patterns) if (pattern.test(text)) found.add(name)
  if (text.includes('arn:') && ARN_ACCOUNT.test(text)) found.add('account in an ARN')
  return [...found]
}
