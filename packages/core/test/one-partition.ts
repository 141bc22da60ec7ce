import type { DataRowRecord } from '../src/index.ts'
import {
  createPeer,
  createWorld,
  HOUR,
  MINUTE,
  PLAINTEXT,
  parentOf,
  START_MS,
  SYSTEM_KEY_ID,
  textOf,
  type World,
} from './fakes.ts'

type Policy = Parameters<typeof createWorld>[0]

/** `created` of the first keys: START_MS is half a minute past a whole one. */
export const FIRST_CREATED: number = START_MS / 1_000 - 30

/** Encrypts in a new session of partition p. */
export const encrypt = (world: World): Promise<DataRowRecord> => world.factory.getSession('p').encrypt(PLAINTEXT)
/** Decrypts in a new session of partition p. */
export const read = async (world: World, record: DataRowRecord): Promise<string> =>
  textOf(await world.factory.getSession('p').decrypt(record))

/** A store with one record of partition p, five minutes old, and a process that has nothing cached. */
export async function written(policy: Policy = {}) {
  const first = createWorld(policy)
  const record = await encrypt(first)
  first.clock.advance(5 * MINUTE)
  const cold = createPeer(first, policy)
  first.kms.encrypted.length = 0
  return { first, cold, rows: first.rows, kms: first.kms, clock: first.clock, record, ik: parentOf(record) }
}

/** A session that has written once, at the beginning of an interval of an hour. */
export async function writing(policy: Policy = {}) {
  const world = createWorld({ revokeCheckIntervalMs: HOUR, ...policy })
  const session = world.factory.getSession('p')
  const record = await session.encrypt(PLAINTEXT)
  world.metastore.forget()
  const sk = { keyId: SYSTEM_KEY_ID, created: world.rows.of(SYSTEM_KEY_ID)[0]?.created ?? 0 }
  return { ...world, world, session, record, ik: parentOf(record), sk }
}
