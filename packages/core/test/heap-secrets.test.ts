import { createSecretKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createHeapSecrets } from '../src/backend.ts'
import { ClosedError, InvalidInputError, type Secret } from '../src/index.ts'
import { createDeferred } from './fakes.ts'
import { isAllZero, rejectionOf, thrownBy } from './harness.ts'

const bytes = (length = 32): Uint8Array => Uint8Array.from({ length }, (_, i) => (i % 255) + 1)
const copyOf = (secret: Secret): Uint8Array => secret.withBytes((view) => new Uint8Array(view))

describe('fromBytes', () => {
  it('takes the bytes over: what was given is wiped, the secret has them', () => {
    const given = bytes()
    const secret = createHeapSecrets().fromBytes(given)
    expect(isAllZero(given)).toBe(true)
    expect(secret.length).toBe(32)
    expect(secret.closed).toBe(false)
    expect(copyOf(secret)).toEqual(bytes())
  })

  it('wipes a view of a part, and that part only', () => {
    const whole = bytes(40)
    const secret = createHeapSecrets().fromBytes(whole.subarray(4, 36))
    expect(copyOf(secret)).toEqual(bytes(40).slice(4, 36))
    expect(isAllZero(whole.subarray(4, 36))).toBe(true)
    expect(whole.subarray(0, 4)).toEqual(bytes(4))
    expect(whole[36]).toBe(37)
  })

  it('D-100 wipes what it refuses too', () => {
    const secrets = createHeapSecrets()
    expect(thrownBy(() => secrets.fromBytes(new Uint8Array(0)))).toBeInstanceOf(InvalidInputError)
    secrets.close()
    const given = bytes()
    expect(thrownBy(() => secrets.fromBytes(given))).toBeInstanceOf(ClosedError)
    expect(isAllZero(given)).toBe(true)
  })
})

describe('createRandom', () => {
  it.each([1, 32, 65_537])('%i bytes, not all alike', (length) => {
    const secrets = createHeapSecrets()
    const [one, two] = [copyOf(secrets.createRandom(length)), copyOf(secrets.createRandom(length))]
    expect(one.byteLength).toBe(length)
    if (length > 1) expect(one).not.toEqual(two)
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '32', null, undefined])(
    'refuses a length of %s',
    (length) => {
      const secrets = createHeapSecrets()
      expect(thrownBy(() => Reflect.apply(secrets.createRandom, secrets, [length]))).toBeInstanceOf(InvalidInputError)
    },
  )
})

describe('withBytes', () => {
  it('gives the bytes and returns what the action returns; the view is wiped when it ends', () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    const views: Uint8Array[] = []
    const sum = secret.withBytes((view) => {
      views.push(view)
      expect(view.byteOffset).toBe(0)
      expect(view.buffer.byteLength).toBe(32)
      return view.reduce((a, b) => a + b, 0)
    })
    expect(sum).toBe((32 * 33) / 2)
    expect(() =>
      secret.withBytes((view) => {
        views.push(view)
        throw new RangeError('no')
      }),
    ).toThrow(RangeError)
    expect(views).toHaveLength(2)
    expect(views.every(isAllZero)).toBe(true)
    expect(copyOf(secret)).toEqual(bytes())
  })

  it('what an action does to its view does not reach the secret', () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    secret.withBytes((view) => view.fill(9))
    expect(copyOf(secret)).toEqual(bytes())
  })

  it('refuses a thenable result, whatever becomes of it, and wipes the view', async () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    const views: Uint8Array[] = []
    const thenable: object = Object.defineProperty({}, 'then', { value: () => {} })
    for (const result of [Promise.resolve(1), Promise.reject(new Error('no')), thenable]) {
      const error = thrownBy(() =>
        secret.withBytes((view) => {
          views.push(view)
          return result
        }),
      )
      expect(error).toBeInstanceOf(InvalidInputError)
    }
    expect(views.every(isAllZero)).toBe(true)
    // A rejection that nobody handled would fail the run.
    await new Promise((resolve) => setImmediate(resolve))
  })

  it('may be nested', () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    secret.withBytes((outer) => {
      secret.withBytes((inner) => expect(inner).toEqual(outer))
      expect(outer).toEqual(bytes())
    })
  })
})

describe('withBytesAsync', () => {
  it('shows the bytes until the promise settles, then wipes them', async () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    const views: Uint8Array[] = []
    const gate = createDeferred()
    const running = secret.withBytesAsync(async (view) => {
      views.push(view)
      await gate.promise
      expect(view).toEqual(bytes())
      return 'done'
    })
    expect(views[0]).toEqual(bytes())
    gate.resolve()
    expect(await running).toBe('done')
    await expect(
      secret.withBytesAsync(async (view) => {
        views.push(view)
        throw new RangeError('no')
      }),
    ).rejects.toThrow(RangeError)
    expect(views).toHaveLength(2)
    expect(views.every(isAllZero)).toBe(true)
  })

  it('rejects, and does not throw, after close', async () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    secret.close()
    expect(await rejectionOf(secret.withBytesAsync(async () => 1))).toBeInstanceOf(ClosedError)
  })
})

describe('close', () => {
  it('is idempotent; every use afterwards is a ClosedError', () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    secret.close()
    secret.close()
    expect(secret.closed).toBe(true)
    expect(secret.length).toBe(32)
    for (const use of [() => secret.withBytes(() => 1), () => secret.reader(), () => secret.keyObject?.()]) {
      expect(thrownBy(use)).toBeInstanceOf(ClosedError)
    }
  })

  it('inside an action: the action keeps its bytes, nothing new begins', async () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    secret.withBytes((view) => {
      secret.close()
      expect(view).toEqual(bytes())
      expect(thrownBy(() => secret.withBytes(() => 1))).toBeInstanceOf(ClosedError)
    })
    const other = createHeapSecrets().fromBytes(bytes())
    const gate = createDeferred()
    const running = other.withBytesAsync(async (view) => {
      await gate.promise
      return new Uint8Array(view)
    })
    other.close()
    gate.resolve()
    expect(await running).toEqual(bytes())
  })

  it('of the factory closes every secret, and refuses new ones', () => {
    const secrets = createHeapSecrets()
    const made = [secrets.fromBytes(bytes()), secrets.createRandom(32)]
    secrets.close()
    secrets.close()
    expect(made.every(({ closed }) => closed)).toBe(true)
    expect(thrownBy(() => secrets.createRandom(32))).toBeInstanceOf(ClosedError)
  })
})

describe('keyObject', () => {
  it('is one KeyObject of the bytes', () => {
    const secret = createHeapSecrets().fromBytes(bytes())
    const key = secret.keyObject?.()
    expect(key?.equals(createSecretKey(bytes()))).toBe(true)
    expect(secret.keyObject?.()).toBe(key)
  })
})

describe('reader', () => {
  it.each([1, 16_384, 16_385, 50_000])('streams %i bytes', async (length) => {
    const chunks: Buffer[] = []
    for await (const chunk of createHeapSecrets().fromBytes(bytes(length)).reader()) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes(length))).toBe(true)
    expect(chunks.every(({ byteLength }) => byteLength <= 16_384)).toBe(true)
  })

  it('fails when the secret is closed in the middle', async () => {
    const secret = createHeapSecrets().fromBytes(bytes(100_000))
    const read = async (): Promise<void> => {
      for await (const _chunk of secret.reader()) secret.close()
    }
    expect(await rejectionOf(read())).toBeInstanceOf(ClosedError)
  })
})
