import { Readable } from 'node:stream'
import { createHeapSecrets, InvalidInputError, type Secret, type SecretFactory } from '@asherah/core/backend'
import { describe, expect, test } from 'vitest'
import type { SecretSubject } from '../src/secrets/secret-checks.ts'
import { selectSecretChecks } from '../src/secrets/secret-factory-conformance.ts'
import { failingChecks, faultTests, type KnownFault } from './failing-checks.ts'

const checks = selectSecretChecks(['keyObject'])

type AlterFactory = (factory: SecretFactory) => Partial<SecretFactory>
type AlterSecret = (secret: Secret) => Partial<Secret>

function subject(alterFactory: AlterFactory = () => ({}), alterSecret: AlterSecret = () => ({})): SecretSubject {
  const create = (): SecretFactory => {
    const factory = createHeapSecrets()
    const altered = { ...factory, ...alterFactory(factory) }
    const wrap = (secret: Secret): Secret => {
      const passedOn: Secret = {
        length: secret.length,
        get closed() {
          return secret.closed
        },
        close: () => secret.close(),
        withBytes: (action) => secret.withBytes(action),
        withBytesAsync: (action) => secret.withBytesAsync(action),
        reader: () => secret.reader(),
        keyObject: () => secret.keyObject?.() ?? expect.fail('a heap secret has a keyObject'),
      }
      // Not by spreading: it would freeze what `closed` says.
      return Object.defineProperties(passedOn, Object.getOwnPropertyDescriptors(alterSecret(secret)))
    }
    return {
      fromBytes: (bytes) => wrap(altered.fromBytes(bytes)),
      createRandom: (length) => wrap(altered.createRandom(length)),
      close: () => altered.close(),
    }
  }
  return { factory: create(), create: async () => create() }
}

function copyOf(secret: Secret): Uint8Array {
  return secret.withBytes((bytes) => new Uint8Array(bytes))
}

const faults: readonly KnownFault<SecretSubject>[] = [
  {
    fault: 'an input that is not wiped',
    seenBy: ['fromBytes keeps the bytes', 'fromBytes of a view takes and wipes', 'a closed factory refuses'],
    make: () => subject((factory) => ({ fromBytes: (bytes) => factory.fromBytes(new Uint8Array(bytes)) })),
  },
  {
    fault: 'an input that is wiped with all its memory',
    seenBy: ['fromBytes of a view takes and wipes'],
    make: () =>
      subject((factory) => ({
        fromBytes(bytes) {
          const secret = factory.fromBytes(bytes)
          new Uint8Array(bytes.buffer).fill(0)
          return secret
        },
      })),
  },
  {
    fault: 'the same random bytes each time',
    seenBy: ['createRandom gives so many random bytes'],
    make: () => subject((factory) => ({ createRandom: (length) => factory.fromBytes(new Uint8Array(length).fill(4)) })),
  },
  {
    fault: 'random bytes for the first page only',
    seenBy: ['createRandom gives so many random bytes'],
    make: () =>
      subject((factory) => ({
        createRandom(length) {
          const bytes = copyOf(factory.createRandom(length))
          return factory.fromBytes(bytes.fill(0, 4_096))
        },
      })),
  },
  {
    fault: 'lengths rounded',
    seenBy: ['a length that is no whole number'],
    make: () =>
      subject((factory) => ({ createRandom: (length) => factory.createRandom(Math.min(Math.ceil(length) || 1, 99)) })),
  },
  {
    fault: 'bytes that can be seen once',
    seenBy: ['the bytes are seen again and again'],
    make: () =>
      subject(undefined, (secret) => ({
        withBytes(action) {
          const result = secret.withBytes(action)
          secret.close()
          return result
        },
      })),
  },
  {
    fault: 'an action whose error is swallowed',
    seenBy: ['withBytes gives the result of its action, and what it throws'],
    make: () =>
      subject(undefined, (secret) => ({
        withBytes(action) {
          try {
            return secret.withBytes(action)
          } catch (cause) {
            throw new Error('the action failed', { cause })
          }
        },
      })),
  },
  {
    fault: 'a view that lives on',
    seenBy: [
      'a view that an action kept is dead',
      'withBytes gives the result',
      'an action of withBytes that returns a thenable',
    ],
    make: () =>
      subject(undefined, (secret) => ({
        withBytes: (action) => secret.withBytes((bytes) => action(new Uint8Array(bytes))),
      })),
  },
  {
    fault: 'promises let through',
    seenBy: ['an action of withBytes that returns a thenable'],
    make: () =>
      subject(undefined, (secret) => ({
        withBytes(action) {
          const box = secret.withBytes((bytes) => ({ result: action(bytes) }))
          return box.result
        },
      })),
  },
  {
    fault: 'an asynchronous view that dies at once',
    seenBy: ['withBytesAsync shows the bytes until the promise settles', 'close during withBytesAsync'],
    make: () =>
      subject(undefined, (secret) => ({
        withBytesAsync: async (action) => {
          const { promise } = secret.withBytes((bytes) => ({ promise: action(bytes) }))
          return promise
        },
      })),
  },
  {
    fault: 'an asynchronous view that lives on',
    seenBy: ['withBytesAsync shows the bytes until the promise settles', 'close during withBytesAsync lets it end'],
    make: () =>
      subject(undefined, (secret) => ({
        withBytesAsync: (action) => secret.withBytesAsync((bytes) => action(new Uint8Array(bytes))),
      })),
  },
  {
    fault: 'a reader of the first chunk',
    seenBy: ['the reader streams all bytes'],
    make: () =>
      subject(undefined, (secret) => ({
        reader: () => Readable.from([Buffer.from(copyOf(secret).subarray(0, 16_384))]),
      })),
  },
  {
    fault: 'a use after close',
    seenBy: ['close is idempotent', 'close inside an action', "the factory's close closes every secret"],
    make: () =>
      subject(undefined, (secret) => {
        const bytes = copyOf(secret)
        return { withBytes: (action) => action(new Uint8Array(bytes)) }
      }),
  },
  {
    fault: 'a close that closes all',
    seenBy: ['closing one secret leaves the others'],
    make: () => {
      const broken = subject((factory) => ({
        fromBytes: (bytes) => ({ ...factory.fromBytes(bytes), close: () => factory.close() }),
      }))
      return { ...broken, create: async () => createHeapSecrets() }
    },
  },
  {
    fault: 'a close that wipes under a running action',
    seenBy: ['close inside an action lets it end', 'close during withBytesAsync lets it end'],
    make: () =>
      subject(undefined, (secret) => {
        const views = new Set<Uint8Array>()
        return {
          withBytes: (action) =>
            secret.withBytes((bytes) => {
              views.add(bytes)
              return action(bytes)
            }),
          withBytesAsync: (action) =>
            secret.withBytesAsync((bytes) => {
              views.add(bytes)
              return action(bytes)
            }),
          close() {
            for (const view of views) view.fill(0)
            secret.close()
          },
        }
      }),
  },
  {
    fault: "a factory's close that forgets its secrets",
    seenBy: ["the factory's close closes every secret", 'a closed factory refuses with ClosedError'],
    make: () => subject(() => ({ close: () => {} })),
  },
  {
    fault: 'a key object of other bytes',
    seenBy: ['keyObject holds the bytes'],
    make: () =>
      subject(undefined, () => ({
        keyObject: () => createHeapSecrets().createRandom(32).keyObject?.() ?? expect.fail('no key object'),
      })),
  },
]

describe('the secret factory kit', () => {
  faultTests(checks, subject, faults)

  test('a keyObject that is there and not in `offers` is seen', async () => {
    expect(await failingChecks(selectSecretChecks([]), subject())).toEqual(['keyObject: not offered, and not there'])
  })

  test('an error of another class is seen', async () => {
    const other = subject((factory) => ({
      createRandom(length) {
        if (!(length >= 1)) throw new RangeError('not a length')
        if (!Number.isSafeInteger(length)) throw new InvalidInputError('not whole')
        return factory.createRandom(length)
      },
    }))
    expect(await failingChecks(checks, other)).toEqual(['a length that is no whole number ≥ 1 is an InvalidInputError'])
  })
})
