import { ownProperty } from './json.ts'

/**
 * The record's JSON text from the low-level DynamoDB item of the wire format: `Id` S, `Created` N, `KeyRecord` M.
 *
 * For the vectors only: it refuses every attribute type that the wire format does not name for its place.
 *
 * @throws Error when the item has another shape.
 */
export function keyRecordOfItem(item: unknown): string {
  const record = member(item, 'KeyRecord', 'M')
  const revoked = ownProperty(record, 'Revoked')
  const parent = ownProperty(record, 'ParentKeyMeta')
  return JSON.stringify({
    Created: seconds(member(record, 'Created', 'N')),
    Key: member(record, 'Key', 'S'),
    ...(revoked !== undefined && { Revoked: member(record, 'Revoked', 'BOOL') }),
    ...(parent !== undefined && {
      ParentKeyMeta: {
        KeyId: member(ownProperty(parent, 'M'), 'KeyId', 'S'),
        Created: seconds(member(ownProperty(parent, 'M'), 'Created', 'N')),
      },
    }),
  })
}

function member(map: unknown, name: string, type: 'S' | 'N' | 'M' | 'BOOL'): unknown {
  const value = ownProperty(ownProperty(map, name), type)
  if (value === undefined) throw new Error(`DynamoDB item: ${name} is not of type ${type}`)
  return value
}

function seconds(text: unknown): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new Error('DynamoDB item: Created is not an integer')
  return value
}
