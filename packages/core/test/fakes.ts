// What the tests of core share, beside vitest: child programs take it too.
export { bytesOf, flipped, PLAINTEXT, textOf } from './fakes/bytes.ts'
export { createFakeClock, DAY, HOUR, MINUTE, SECOND, START_MS } from './fakes/clock.ts'
export { decliningCache } from './fakes/declining-cache.ts'
export { type Recording, recordEvents } from './fakes/events.ts'
export { createFakeKms, type FakeKms } from './fakes/kms.ts'
export {
  createFakeMetastore,
  createFakeRows,
  type FakeMetastore,
  type FakeRows,
} from './fakes/metastore.ts'
export { plantIntermediateKey, plantSystemKey } from './fakes/planted-keys.ts'
export { createSpyCrypto } from './fakes/spy-crypto.ts'
export { createSpySecrets } from './fakes/spy-secrets.ts'
export { createDeferred, type Deferred, isPending, settle, until } from './fakes/waiting.ts'
export {
  createPeer,
  createWorld,
  IK,
  intermediateKeyId,
  PRODUCT,
  parentOf,
  SERVICE,
  SYSTEM_KEY_ID,
  type World,
} from './fakes/world.ts'
