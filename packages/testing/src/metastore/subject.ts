import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import type { EnvelopeKeyRecord, KeyMeta, Metastore } from '@asherah/core/backend'
import { assertBytes } from '../assertions.ts'

/** The methods that a metastore may have or not. */
export type MetastoreCapability = 'list' | 'markRevoked' | 'check' | 'close'

/** What the metastore checks work on. Its store may hold other rows: each check makes ids of its own. */
export interface MetastoreSubject {
  readonly metastore: Metastore
  /** A further metastore, of the same store or another; it is disposed of after the tests. */
  create(): Promise<Metastore>
  /** A second metastore over the same rows; it is disposed of after the tests. */
  readonly reopen: (() => Promise<Metastore>) | undefined
  readonly overwriteBody: ((key: KeyMeta, text: string) => Promise<void>) | undefined
  /** The greatest `created` that the store can hold, in Unix seconds. */
  readonly maxCreated: number
  /** The store's unique key takes ids for equal that differ only in spaces at their end. */
  readonly ignoresTrailingSpaces: boolean
}

/**
 * A `created` for a further id of the same check: another one where the store's key would take the ids for equal.
 *
 * @param subject The subject of the check.
 */
export function createdBeside(subject: MetastoreSubject, keyId: string, created: number): number {
  return subject.ignoresTrailingSpaces && keyId.endsWith(' ') ? created + 30 : created
}

/** The year 2026. */
export const CREATED = 1_795_251_360

/** An id that no other row has, short enough for every store. */
export function freshSystemKeyId(): string {
  return `_SK_${randomUUID()}_conformance`
}

/** As {@link freshSystemKeyId}, for a partition. */
export function freshIntermediateKeyId(partition = 'p'): string {
  return `_IK_${partition}_${randomUUID()}_conformance`
}

/** A row with random key bytes. */
export function systemKey(keyId: string, created: number = CREATED, revoked = false): EnvelopeKeyRecord {
  return { keyId, created, encryptedKey: new Uint8Array(randomBytes(60)), revoked }
}

/** A row with random key bytes and a parent. */
export function intermediateKey(keyId: string, created: number = CREATED, revoked = false): EnvelopeKeyRecord {
  const parentKeyMeta = { keyId: '_SK_parent_conformance', created: created > 60 ? created - 60 : created }
  return { ...systemKey(keyId, created, revoked), parentKeyMeta }
}

/** Stores a row that must not be there yet. */
export async function storeNew(metastore: Metastore, row: EnvelopeKeyRecord): Promise<void> {
  const stored: unknown = await metastore.store(row.keyId, row.created, row)
  assert.equal(stored, true, `store of a new row, ${JSON.stringify(row.keyId)} created ${row.created}`)
}

/** The row is there, and it is this one: every field, by value and type. */
export function assertRow(actual: unknown, expected: EnvelopeKeyRecord, what: string): void {
  assert.ok(typeof actual === 'object' && actual !== null, `${what}: expected a row, got ${String(actual)}`)
  const field = (name: keyof EnvelopeKeyRecord): unknown => Reflect.get(actual, name)
  assert.equal(field('keyId'), expected.keyId, `${what}: keyId`)
  assert.equal(field('created'), expected.created, `${what}: created`)
  assert.equal(field('revoked'), expected.revoked, `${what}: revoked`)
  assertBytes(field('encryptedKey'), expected.encryptedKey, `${what}: encryptedKey`)
  const parent = field('parentKeyMeta')
  if (expected.parentKeyMeta === undefined) {
    assert.equal(parent, undefined, `${what}: a system key has no parent`)
    return
  }
  assert.ok(typeof parent === 'object' && parent !== null, `${what}: parentKeyMeta is missing`)
  assert.equal(Reflect.get(parent, 'keyId'), expected.parentKeyMeta.keyId, `${what}: parentKeyMeta.keyId`)
  assert.equal(Reflect.get(parent, 'created'), expected.parentKeyMeta.created, `${what}: parentKeyMeta.created`)
}

/** `load` and, when it is the newest of its id, `loadLatest` give this row. */
export async function assertStored(metastore: Metastore, row: EnvelopeKeyRecord, what: string): Promise<void> {
  assertRow(await metastore.load(row.keyId, row.created), row, `${what}: load`)
}

/** Null, and not undefined. */
export function assertMissing(actual: unknown, what: string): void {
  assert.equal(actual, null, `${what}: expected null, since there is no such row`)
}
