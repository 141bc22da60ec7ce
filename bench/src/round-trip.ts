import { deepStrictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { Session } from '@asherah/core'

/** Asserts that what a session encrypts it decrypts, for some sizes; also warms its keys. */
export async function assertRoundTrips(session: Session, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) {
    const plaintext = randomBytes(size)
    deepStrictEqual(Buffer.from(await session.decrypt(await session.encryptToJson(plaintext))), plaintext)
  }
}
