import { describe, expect, it } from 'vitest'
import { AbortedError, MetastoreError } from '../src/index.ts'
import { createSingleFlight } from '../src/internal/single-flight.ts'
import {
  createDeferred,
  createPeer,
  createWorld,
  type Deferred,
  HOUR,
  IK,
  intermediateKeyId,
  isPending,
  PLAINTEXT,
  parentOf,
  SYSTEM_KEY_ID,
  settle,
  textOf,
  until,
} from './fakes.ts'

/** A value that counts its references, as a key does. */
interface Counted {
  references: number
}

function createFlights() {
  return createSingleFlight<Counted>(
    (value) => {
      value.references += 1
    },
    (value) => {
      value.references -= 1
    },
  )
}

/** Work that the test ends, and the signals it was given. */
function createWork(): {
  gate: Deferred<Counted>
  signals: (AbortSignal | undefined)[]
  work: (s: AbortSignal | undefined) => Promise<Counted>
} {
  const gate = createDeferred<Counted>()
  const signals: (AbortSignal | undefined)[] = []
  return {
    gate,
    signals,
    work(signal) {
      signals.push(signal)
      return gate.promise
    },
  }
}

describe('createSingleFlight', () => {
  it('all who ask while the work runs get its value, each with a reference', async () => {
    const flights = createFlights()
    const { gate, signals, work } = createWork()
    const calls = Array.from({ length: 5 }, () => flights.run('k', undefined, work))
    expect(flights.has('k')).toBe(true)
    expect(flights.size).toBe(1)
    const value = { references: 1 }
    gate.resolve(value)
    expect(new Set(await Promise.all(calls))).toEqual(new Set([value]))
    expect(signals).toHaveLength(1)
    expect(value.references).toBe(5)
    expect(flights.size).toBe(0)
  })

  it('each waiter gets the failure, and it is not kept', async () => {
    const flights = createFlights()
    const { gate, work } = createWork()
    const calls = Array.from({ length: 3 }, () => flights.run('k', undefined, work))
    const failure = new Error('no')
    gate.reject(failure)
    for (const call of calls) await expect(call).rejects.toBe(failure)
    const again = createWork()
    again.gate.resolve({ references: 1 })
    expect(await flights.run('k', undefined, again.work)).toEqual({ references: 1 })
  })

  it('other keys do not wait', async () => {
    const flights = createFlights()
    void flights.run('slow', undefined, createWork().work)
    const { gate, work } = createWork()
    gate.resolve({ references: 1 })
    await flights.run('quick', undefined, work)
    expect(flights.has('slow')).toBe(true)
  })

  it("one caller's abort rejects that caller, with its reason as cause, and nobody else", async () => {
    const flights = createFlights()
    const { gate, signals, work } = createWork()
    const abort = new AbortController()
    const leaving = flights.run('k', abort.signal, work)
    const staying = flights.run('k', undefined, work)
    const reason = new Error('gone home')
    abort.abort(reason)
    await expect(leaving).rejects.toSatisfy((error) => error instanceof AbortedError && error.cause === reason)
    expect(signals[0]?.aborted).toBe(false)
    const value = { references: 1 }
    gate.resolve(value)
    expect(await staying).toBe(value)
    expect(value.references).toBe(1)
  })

  it("when all have left the work's signal aborts, and what it gives after all is released", async () => {
    const flights = createFlights()
    const { gate, signals, work } = createWork()
    const aborts = [new AbortController(), new AbortController()]
    const calls = aborts.map((abort) => flights.run('k', abort.signal, work))
    aborts[0]?.abort()
    expect(signals[0]?.aborted).toBe(false)
    aborts[1]?.abort()
    expect(signals[0]?.aborted).toBe(true)
    for (const call of calls) await expect(call).rejects.toBeInstanceOf(AbortedError)
    const value = { references: 1 }
    gate.resolve(value)
    await settle()
    expect(value.references).toBe(0)
  })

  it('a newcomer after the abort starts anew, and the old end does not end the new work', async () => {
    const flights = createFlights()
    const old = createWork()
    const abort = new AbortController()
    const left = flights.run('k', abort.signal, old.work)
    abort.abort()
    await expect(left).rejects.toBeInstanceOf(AbortedError)
    const fresh = createWork()
    const call = flights.run('k', undefined, fresh.work)
    expect(fresh.signals).toHaveLength(1)
    old.gate.reject(new Error('aborted'))
    await settle()
    expect(flights.has('k')).toBe(true)
    const value = { references: 1 }
    fresh.gate.resolve(value)
    expect(await call).toBe(value)
    expect(flights.has('k')).toBe(false)
  })

  it('a signal that is aborted already starts nothing', async () => {
    const flights = createFlights()
    const { signals, work } = createWork()
    await expect(flights.run('k', AbortSignal.abort(), work)).rejects.toBeInstanceOf(AbortedError)
    expect(signals).toEqual([])
    expect(flights.size).toBe(0)
  })

  it('the work of a first caller who cannot abort has no signal: a later caller who aborts leaves alone', async () => {
    const flights = createFlights()
    const { gate, signals, work } = createWork()
    const staying = flights.run('k', undefined, work)
    const abort = new AbortController()
    const leaving = flights.run('k', abort.signal, work)
    abort.abort()
    await expect(leaving).rejects.toBeInstanceOf(AbortedError)
    expect(signals).toEqual([undefined])
    expect(flights.has('k')).toBe(true)
    const value = { references: 1 }
    gate.resolve(value)
    expect(await staying).toBe(value)
  })

  it('an abort after the end changes nothing', async () => {
    const flights = createFlights()
    const { gate, signals, work } = createWork()
    const abort = new AbortController()
    const call = flights.run('k', abort.signal, work)
    gate.resolve({ references: 1 })
    await call
    abort.abort()
    expect(signals[0]?.aborted).toBe(false)
  })
})

describe('keys are loaded and made once', () => {
  /** Holds every call of the metastore until the gate opens. */
  function held(world: ReturnType<typeof createWorld>): Deferred {
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    return gate
  }

  it('D-035 100 concurrent first encrypts: one load and one key of each kind', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const records = await Promise.all(Array.from({ length: 100 }, () => session.encrypt(PLAINTEXT)))
    expect(world.metastore.calls.map(({ method, keyId }) => [method, keyId])).toEqual([
      ['loadLatest', IK],
      ['loadLatest', SYSTEM_KEY_ID],
      ['store', SYSTEM_KEY_ID],
      ['store', IK],
    ])
    expect(new Set(records.map((record) => parentOf(record).created)).size).toBe(1)
    expect(world.crypto.made).toBe(2)
  })

  it('D-035 100 concurrent first decrypts in a cold process: one load of each key, one KMS call', async () => {
    const world = createWorld()
    const record = await world.factory.getSession('p').encrypt(PLAINTEXT)
    const cold = createPeer(world)
    const session = cold.factory.getSession('p')
    await Promise.all(Array.from({ length: 100 }, () => session.decrypt(record)))
    expect(cold.metastore.count('load', IK)).toBe(1)
    expect(cold.metastore.count('load', SYSTEM_KEY_ID)).toBe(1)
    expect(world.kms.decrypted).toHaveLength(1)
  })

  it('D-035 50 partitions at once in a cold process: one system key, loaded once', async () => {
    const world = createWorld()
    const names = Array.from({ length: 50 }, (_, i) => `p${i}`)
    for (const name of names) await world.factory.getSession(name).encrypt(PLAINTEXT)
    const cold = createPeer(world)
    await Promise.all(names.map((name) => cold.factory.getSession(name).encrypt(PLAINTEXT)))
    expect(cold.metastore.count('load', SYSTEM_KEY_ID)).toBe(1)
    expect(world.kms.decrypted).toHaveLength(1)
  })

  it("one caller's abort does not fail the others", async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const gate = held(world)
    const abort = new AbortController()
    const leaving = session.encrypt(PLAINTEXT, { signal: abort.signal })
    const staying = session.encrypt(PLAINTEXT)
    const reason = new Error('gone home')
    abort.abort(reason)
    await expect(leaving).rejects.toSatisfy((error) => error instanceof AbortedError && error.cause === reason)
    gate.resolve()
    expect(textOf(await session.decrypt(await staying))).toBe('4111 1111')
    expect(world.metastore.calls.every((call) => call.signal?.aborted === false)).toBe(true)
  })

  it("the abort of one partition's only caller leaves the system key to the others", async () => {
    const world = createWorld()
    const gate = createDeferred()
    world.kms.before = () => gate.promise
    const abort = new AbortController()
    const leaving = world.factory.getSession('p').encrypt(PLAINTEXT, { signal: abort.signal })
    const staying = world.factory.getSession('q').encrypt(PLAINTEXT)
    await until(() => world.kms.encrypted.length === 1)
    await settle()
    abort.abort()
    await expect(leaving).rejects.toBeInstanceOf(AbortedError)
    gate.resolve()
    expect(parentOf(await staying).keyId).toBe(intermediateKeyId('q'))
    expect(world.kms.encrypted).toHaveLength(1)
    expect(world.rows.of(IK)).toEqual([])
  })

  it('all aborted: the signal that the metastore was given aborts, and a newcomer starts anew', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const gate = held(world)
    const aborts = [new AbortController(), new AbortController()]
    const calls = aborts.map((abort) => session.encrypt(PLAINTEXT, { signal: abort.signal }))
    await until(() => world.metastore.calls.length === 1)
    const first = world.metastore.calls[0]?.signal
    for (const abort of aborts) abort.abort()
    for (const call of calls) await expect(call).rejects.toBeInstanceOf(AbortedError)
    expect(first?.aborted).toBe(true)
    world.metastore.before = undefined
    const record = await session.encrypt(PLAINTEXT, { signal: new AbortController().signal })
    expect(world.metastore.calls[1]?.signal?.aborted).toBe(false)
    gate.resolve()
    await settle()
    expect(world.rows.of(IK)).toHaveLength(1)
    expect(textOf(await createPeer(world).factory.getSession('p').decrypt(record))).toBe('4111 1111')
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it.each(['encryptKey', 'store'])('all aborted during %s: no key stays open', async (during) => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const gate = createDeferred()
    if (during === 'store') {
      world.metastore.before = (call) => (call.method === 'store' ? gate.promise : undefined)
    } else {
      world.kms.before = () => gate.promise
    }
    const abort = new AbortController()
    const call = session.encrypt(PLAINTEXT, { signal: abort.signal })
    await until(() => world.crypto.made === 1)
    await settle()
    abort.abort()
    await expect(call).rejects.toBeInstanceOf(AbortedError)
    gate.reject(new Error('the backend gave up'))
    await settle()
    expect(world.crypto.open).toBe(0)
    // Nobody waits any more: there is no second look for what the store may have done.
    expect(world.metastore.count('loadLatest')).toBe(2)
    world.kms.before = undefined
    world.metastore.before = undefined
    expect(parentOf(await session.encrypt(PLAINTEXT)).keyId).toBe(IK)
  })

  it('an aborted re-check is no failed one: no back-off, no grace', async () => {
    const world = createWorld({ revokeCheckIntervalMs: HOUR, staleGraceMs: HOUR })
    const session = world.factory.getSession('p')
    await session.encrypt(PLAINTEXT)
    world.clock.advance(HOUR)
    const gate = createDeferred()
    world.metastore.before = async (call) => {
      await gate.promise
      call.signal?.throwIfAborted()
    }
    const abort = new AbortController()
    const call = session.encrypt(PLAINTEXT, { signal: abort.signal })
    await until(() => world.metastore.count('loadLatest', IK) === 2)
    abort.abort()
    await expect(call).rejects.toBeInstanceOf(AbortedError)
    gate.resolve()
    await settle()
    world.metastore.forget()
    await session.encrypt(PLAINTEXT)
    expect(world.metastore.count('loadLatest', IK)).toBe(1)
  })

  it('a failed load is not kept: each waiter gets the error, the next call loads again', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    let reads = 0
    world.metastore.before = () => {
      reads += 1
      throw new Error('down')
    }
    const calls = Array.from({ length: 10 }, () => session.encrypt(PLAINTEXT))
    for (const call of calls) await expect(call).rejects.toBeInstanceOf(MetastoreError)
    expect(reads).toBe(1)
    world.metastore.before = undefined
    expect(parentOf(await session.encrypt(PLAINTEXT)).keyId).toBe(IK)
  })

  it('D-032 a slow partition holds up no other: there is no lock of the whole cache', async () => {
    const world = createWorld({ sharedIntermediateKeyCache: true })
    const warm = world.factory.getSession('warm')
    const record = await warm.encrypt(PLAINTEXT)
    const gate = createDeferred()
    world.metastore.before = (call) => (call.keyId === intermediateKeyId('slow') ? gate.promise : undefined)
    const slow = world.factory.getSession('slow').encrypt(PLAINTEXT)
    await settle()
    await warm.encrypt(PLAINTEXT)
    await warm.decrypt(record)
    await world.factory.getSession('new').encrypt(PLAINTEXT)
    expect(await isPending(slow)).toBe(true)
    gate.resolve()
    await slow
  })

  it('a backend that throws in the same tick is a failure like any other', async () => {
    const world = createWorld()
    world.metastore.loadLatest = () => {
      throw new Error('not a promise')
    }
    await expect(world.factory.getSession('p').encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })
})
