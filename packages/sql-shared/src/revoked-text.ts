/** A `Revoked` member that says no. Inside a JSON string its quotes would be escaped, so a match is always a member. */
const NOT_REVOKED = /"Revoked"(\s*):(\s*)(?:false|null)/g

/**
 * A row's JSON text with `Revoked` set and, wherever possible, every other byte as it was: `JSON.parse` and
 * `JSON.stringify` would change numbers and white space that they do not know.
 *
 * @param text A JSON object that `parseEnvelopeKeyRecord` has accepted and that is not revoked.
 */
export function revokedText(text: string): string {
  const parsed: unknown = JSON.parse(text)
  if (!Object.hasOwn(Object(parsed), 'Revoked')) return text.replace(/^\s*\{/, (start) => `${start}"Revoked":true,`)
  const edited = text.replaceAll(NOT_REVOKED, '"Revoked"$1:$2true')
  // Another object inside may have the member too, or its name may be written with escapes.
  const isEdited = text.match(NOT_REVOKED)?.length === 1 && Object(JSON.parse(edited)).Revoked === true
  return isEdited ? edited : JSON.stringify({ ...Object(parsed), Revoked: true })
}
