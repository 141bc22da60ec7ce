import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Secret, SecretFactory } from '@asherah/core/backend'
import { assertBytes, assertRejects, assertThrows, assertWiped } from '../assertions.ts'
import type { Check } from '../check.ts'

/** The methods that a secret may have or not. */
export type SecretCapability = 'keyObject'

/** What the secret checks work on. */
export interface SecretSubject {
  readonly factory: SecretFactory
  /** A further factory. */
  create(): Promise<SecretFactory>
}

/** Larger than a page, a pool and a stream's chunk, and no multiple of them. */
const LARGE = 100_003

function copyOf(secret: Secret): Uint8Array {
  return secret.withBytes((bytes) => new Uint8Array(bytes))
}

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length))
}

/** A secret, and a copy of its bytes. */
function made(factory: SecretFactory, length = 32): { readonly secret: Secret; readonly expected: Uint8Array } {
  const expected = random(length)
  return { secret: factory.fromBytes(new Uint8Array(expected)), expected }
}

async function readAll(secret: Secret): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of secret.reader()) {
    assert.ok(part instanceof Uint8Array, 'the reader gives bytes')
    parts.push(new Uint8Array(part)) // a chunk may be a view that dies with the next one
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** Bytes go in, are seen inside actions only, and go. */
const secretChecks: readonly Check<SecretSubject>[] = [
  {
    name: 'fromBytes keeps the bytes, of every length, and wipes its input',
    run({ factory }) {
      for (const length of [1, 2, 31, 32, 33, 60, 4_095, 4_096, 4_097, LARGE]) {
        const input = random(length)
        const expected = new Uint8Array(input)
        const secret = factory.fromBytes(input)
        assertWiped(input, `the input of ${length} bytes`)
        assert.equal(secret.length, length, 'length')
        assert.equal(secret.closed, false, 'closed')
        assertBytes(copyOf(secret), expected, `a secret of ${length} bytes`)
        secret.close()
      }
    },
  },
  {
    name: 'fromBytes of a view takes and wipes what it shows, and nothing around it',
    run({ factory }) {
      const memory = random(100)
      const before = new Uint8Array(memory)
      const secret = factory.fromBytes(memory.subarray(20, 52))
      assertBytes(copyOf(secret), before.subarray(20, 52), 'the secret')
      assertWiped(memory.subarray(20, 52), 'the view')
      assertBytes(memory.subarray(0, 20), before.subarray(0, 20), 'the bytes before the view')
      assertBytes(memory.subarray(52), before.subarray(52), 'the bytes after the view')
      secret.close()
    },
  },
  {
    name: 'createRandom gives so many random bytes, other ones each time',
    run({ factory }) {
      const seen = new Set<string>()
      for (let i = 0; i < 50; i++) {
        const secret = factory.createRandom(32)
        assert.equal(secret.length, 32)
        seen.add(Buffer.from(copyOf(secret)).toString('hex'))
        secret.close()
      }
      assert.equal(seen.size, 50, 'secrets that differ')
      assert.ok(!seen.has('00'.repeat(32)), 'a secret of zeros')
      const large = factory.createRandom(LARGE)
      const distinct = new Set(copyOf(large).subarray(-4_096))
      assert.ok(distinct.size > 128, 'the end of a large secret is not random')
      large.close()
    },
  },
  {
    name: 'a length that is no whole number ≥ 1 is an InvalidInputError',
    run({ factory }) {
      for (const length of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        assertThrows(() => factory.createRandom(length), 'ERR_ASHERAH_INVALID_INPUT', `createRandom(${length})`)
      }
      assertThrows(() => factory.fromBytes(new Uint8Array()), 'ERR_ASHERAH_INVALID_INPUT', 'fromBytes of nothing')
    },
  },
  {
    name: 'the bytes are seen again and again, also inside an action on them',
    run({ factory }) {
      const { secret, expected } = made(factory)
      for (let i = 0; i < 3; i++) assertBytes(copyOf(secret), expected, `use ${i}`)
      secret.withBytes((outer) => {
        assertBytes(copyOf(secret), expected, 'the inner action')
        assertBytes(outer, expected, 'the outer action after the inner one')
      })
      secret.close()
    },
  },
  {
    name: 'withBytes gives the result of its action, and what it throws',
    run({ factory }) {
      const { secret, expected } = made(factory)
      assert.equal(
        secret.withBytes((bytes) => bytes.byteLength),
        32,
      )
      const thrown = new Error('mine')
      let kept: Uint8Array | undefined
      const call = (): never =>
        secret.withBytes((bytes): never => {
          kept = bytes
          throw thrown
        })
      assert.throws(call, (error) => error === thrown)
      assert.ok(kept !== undefined)
      assertWiped(kept, 'the view after the action threw')
      assertBytes(copyOf(secret), expected, 'the secret after the action threw')
      secret.close()
    },
  },
  {
    name: 'a view that an action kept is dead when the action returns: detached or wiped',
    run({ factory }) {
      for (const length of [32, LARGE]) {
        const { secret, expected } = made(factory, length)
        const kept = secret.withBytes((bytes) => ({ bytes }))
        assertWiped(kept.bytes, 'the view')
        assertBytes(copyOf(secret), expected, 'the secret itself')
        secret.close()
      }
    },
  },
  {
    name: 'an action of withBytes that returns a thenable is an InvalidInputError, and its view is dead',
    run({ factory }) {
      const { secret, expected } = made(factory)
      let kept: Uint8Array | undefined
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
      const thenable = { then: () => {} }
      const rejected = Promise.reject(new Error('unseen'))
      rejected.catch(() => {}) // whether the subject looks at it is its own affair
      for (const result of [Promise.resolve(1), rejected, thenable]) {
        const call = (): unknown =>
          secret.withBytes((bytes) => {
            kept = bytes
            return result
          })
        assertThrows(call, 'ERR_ASHERAH_INVALID_INPUT', 'withBytes')
        assert.ok(kept !== undefined)
        assertWiped(kept, 'the view')
      }
      assertBytes(copyOf(secret), expected, 'the secret afterwards')
      secret.close()
    },
  },
  {
    name: 'withBytesAsync shows the bytes until the promise settles, either way',
    async run({ factory }) {
      const { secret, expected } = made(factory)
      let kept: Uint8Array | undefined
      const result = await secret.withBytesAsync(async (bytes) => {
        kept = bytes
        await new Promise((resolve) => setTimeout(resolve, 5))
        assertBytes(bytes, expected, 'the bytes after a pause')
        return 'done'
      })
      assert.equal(result, 'done')
      assert.ok(kept !== undefined)
      assertWiped(kept, 'the view after the promise settled')
      const thrown = new Error('mine')
      const failing = secret.withBytesAsync(async (bytes) => {
        kept = bytes
        await new Promise((resolve) => setTimeout(resolve, 1))
        throw thrown
      })
      await assert.rejects(failing, (error) => error === thrown)
      assertWiped(kept, 'the view after the promise rejected')
      assertBytes(copyOf(secret), expected, 'the secret afterwards')
      secret.close()
    },
  },
  {
    name: 'the reader streams all bytes, of a large secret too, more than once',
    async run({ factory }) {
      for (const length of [1, 32, LARGE]) {
        const { secret, expected } = made(factory, length)
        assertBytes(await readAll(secret), expected, `a secret of ${length} bytes`)
        assertBytes(await readAll(secret), expected, `a secret of ${length} bytes, again`)
        secret.close()
      }
    },
  },
]

/** The end of secrets and factories. */
const closingChecks: readonly Check<SecretSubject>[] = [
  {
    name: 'close is idempotent, and every later use is a ClosedError',
    async run({ factory }) {
      const { secret } = made(factory)
      secret.close()
      secret.close()
      assert.equal(secret.closed, true)
      assertThrows(() => secret.withBytes(() => 1), 'ERR_ASHERAH_CLOSED', 'withBytes')
      await assertRejects(() => secret.withBytesAsync(async () => 1), 'ERR_ASHERAH_CLOSED', 'withBytesAsync')
      await assertRejects(() => readAll(secret), 'ERR_ASHERAH_CLOSED', 'reader')
    },
  },
  {
    name: 'closing one secret leaves the others',
    run({ factory }) {
      const all = Array.from({ length: 40 }, () => made(factory))
      for (const [i, { secret }] of all.entries()) if (i % 2 === 0) secret.close()
      for (const [i, { secret, expected }] of all.entries()) {
        assert.equal(secret.closed, i % 2 === 0, `secret ${i}`)
        if (!secret.closed) assertBytes(copyOf(secret), expected, `secret ${i}`)
        secret.close()
      }
    },
  },
  {
    name: 'close inside an action lets it end; no new one begins',
    run({ factory }) {
      const { secret, expected } = made(factory)
      secret.withBytes((bytes) => {
        secret.close()
        assertBytes(bytes, expected, 'the running action')
        assertThrows(() => secret.withBytes(() => 1), 'ERR_ASHERAH_CLOSED', 'a new action')
      })
      assert.equal(secret.closed, true)
      assertThrows(() => secret.withBytes(() => 1), 'ERR_ASHERAH_CLOSED', 'after the action')
    },
  },
  {
    name: 'close during withBytesAsync lets it end; no new action begins',
    async run({ factory }) {
      const { secret, expected } = made(factory)
      let goOn = (): void => {}
      const gate = new Promise<void>((resolve) => {
        goOn = resolve
      })
      let kept: Uint8Array | undefined
      const running = secret.withBytesAsync(async (bytes) => {
        kept = bytes
        await gate
        assertBytes(bytes, expected, 'the running action')
      })
      secret.close()
      await assertRejects(() => secret.withBytesAsync(async () => 1), 'ERR_ASHERAH_CLOSED', 'a new action')
      goOn()
      await running
      assert.equal(secret.closed, true)
      assert.ok(kept !== undefined)
      assertWiped(kept, 'the view after the action')
    },
  },
  {
    name: "the factory's close closes every secret of its own, and no other's",
    async run({ factory, create }) {
      const other = await create()
      const secrets = [made(other).secret, made(other, LARGE).secret, other.createRandom(32)]
      const mine = made(factory)
      let checked = false
      const running = secrets[0]?.withBytesAsync(async (bytes) => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        checked = bytes.byteLength === 32 && bytes.some((byte) => byte !== 0)
      })
      other.close()
      other.close()
      await running
      assert.ok(checked, 'the action that ran lost its bytes')
      for (const secret of secrets) {
        assert.equal(secret.closed, true)
        assertThrows(() => secret.withBytes(() => 1), 'ERR_ASHERAH_CLOSED', 'withBytes')
      }
      assertBytes(copyOf(mine.secret), mine.expected, 'a secret of another factory')
      mine.secret.close()
    },
  },
  {
    name: 'a closed factory refuses with ClosedError, and still wipes the input of fromBytes',
    async run({ create }) {
      const factory = await create()
      factory.close()
      const input = random(32)
      assertThrows(() => factory.fromBytes(input), 'ERR_ASHERAH_CLOSED', 'fromBytes')
      assertWiped(input, 'the input')
      assertThrows(() => factory.createRandom(32), 'ERR_ASHERAH_CLOSED', 'createRandom')
    },
  },
]

/** What every {@link SecretFactory} must do. */
export const secretFactoryChecks: readonly Check<SecretSubject>[] = [...secretChecks, ...closingChecks]

/** For secrets that have a `keyObject`. */
export const keyObjectChecks: readonly Check<SecretSubject>[] = [
  {
    name: 'keyObject holds the bytes, and is refused after close',
    run({ factory }) {
      const { secret, expected } = made(factory)
      const key = secret.keyObject?.()
      assert.ok(key !== undefined, 'keyObject is in `offers`, and is not there')
      assert.equal(key.type, 'secret')
      assertBytes(key.export(), expected, 'the key object')
      secret.close()
      assertThrows(() => secret.keyObject?.(), 'ERR_ASHERAH_CLOSED', 'keyObject')
    },
  },
]
