import {
  AsherahError,
  type CryptoPolicyOptions,
  type DataRowRecord,
  FutureKeyError,
  type KeyMeta,
} from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createPeer,
  createWorld,
  type Deferred,
  HOUR,
  intermediateKeyId,
  parentOf,
  SYSTEM_KEY_ID,
  settle,
  textOf,
  type World,
} from './fakes.ts'

/** How long keys of the model live, and how often they are checked. */
export const LIFE: number = 6 * HOUR
export const INTERVAL: number = HOUR
const SKEW_MS = 300_000

/** What a process's backends do wrong. */
export type Fault = 'metastore' | 'kms' | 'lost answers' | 'none'

/** One process of the model. */
interface Process {
  world: World
  readonly policy: CryptoPolicyOptions
  /** The number of the step. */
  startedIn: number
  fault: Fault
  /** While its metastore is slow: what it waits for. */
  gate: Deferred | undefined
  /** Work that waits for it. */
  readonly pending: Set<Promise<void>>
}

interface Written {
  readonly record: DataRowRecord
  readonly partition: string
  readonly text: string
}

/** Many processes on one store, and what must hold for all that they write and read. */
export interface Model {
  readonly executed: number
  encrypt(process: number, partition: string, count?: number): Promise<void>
  together(partition: string): Promise<void>
  decrypt(process: number, which: number): Promise<void>
  /** Revokes a row: of a partition, or of the system key; the latest, or the one before. */
  revoke(id: string | 'sk', latest: boolean): Promise<void>
  advance(ms: number): Promise<void>
  /** The wall clock is set; time does not pass. */
  jump(ms: number): Promise<void>
  fail(process: number, fault: Fault): Promise<void>
  /** The process's metastore does not answer: before it has read or written, or after. */
  slow(process: number, when: 'before' | 'after'): Promise<void>
  restart(process: number): Promise<void>
  /** Every record is read, by one of the processes and by a new one; nothing stays open. */
  end(): Promise<void>
}

export function createModel(policies: readonly CryptoPolicyOptions[]): Model {
  const base = { expireAfterMs: LIFE, revokeCheckIntervalMs: INTERVAL }
  const first = createWorld({ ...base, ...policies[0] })
  const { clock, rows } = first
  const processes: Process[] = policies.map((policy, i) => ({
    world: i === 0 ? first : createPeer(first, { ...base, ...policy }),
    policy: { ...base, ...policy },
    startedIn: 0,
    fault: 'none',
    gate: undefined,
    pending: new Set(),
  }))
  /** In monotonic ms, and in which step. */
  const revocations = new Map<string, { readonly at: number; readonly step: number }>()
  const written: Written[] = []
  let failure: { readonly error: unknown } | undefined
  let jumped = false
  let executed = 0

  const processAt = (index: number): Process => {
    const process = processes[index % processes.length]
    if (process === undefined) throw new Error('the model has no process')
    return process
  }
  const nameOf = ({ keyId, created }: KeyMeta): string => `${keyId} ${created}`
  /** From here on a call may fail, whatever its own process does: the KMS is everybody's. */
  const mayFail = ({ fault }: Process): boolean => fault !== 'none' || processes.some((one) => one.fault === 'kms')

  const checkWritten = (process: Process, record: DataRowRecord, partition: string): void => {
    const { policy } = process
    const { keyId, created } = parentOf(record)
    check(keyId === intermediateKeyId(partition), 'a record under the key of another partition')
    const row = rows.get(keyId, created)
    if (row?.parentKeyMeta === undefined) throw new Error('a record under a key that is not stored')
    const limit = INTERVAL * (policy.staleWhileRevalidate === true ? 2 : 1) + (policy.staleGraceMs ?? 0)
    for (const key of [row, row.parentKeyMeta]) {
      const revoked = revocations.get(nameOf(key))
      if (revoked !== undefined) {
        const age = clock.monotonicMs() - revoked.at
        check(age < limit, `written under ${nameOf(key)}, revoked ${age} ms ago; ${limit} ms is the most`)
        check(revoked.step > process.startedIn, `written under ${nameOf(key)}, revoked before the process began`)
      }
      const expired = clock.now() > key.created * 1_000 + LIFE
      check(!expired || policy.rotation === 'queued', `written under ${nameOf(key)}, which has expired`)
    }
    // Not its parent, which does not write: set back, a clock may lie before a system key and not before the keys under it.
    check(created * 1_000 <= clock.now() + SKEW_MS, `written under ${nameOf(row)}, of the future`)
  }

  const encryptOnce = async (process: Process, partition: string): Promise<void> => {
    const text = `${partition} ${written.length} ${clock.now()}`
    const record = await process.world.factory.getSession(partition).encrypt(bytesOf(text))
    checkWritten(process, record, partition)
    written.push({ record, partition, text })
  }
  const encryptAnyhow = async (process: Process, partition: string): Promise<void> => {
    for (let turn = 0; ; turn += 1) {
      const mightFail = mayFail(process)
      try {
        return await encryptOnce(process, partition)
      } catch (error) {
        if (!(error instanceof AsherahError)) throw error
        if (mightFail || mayFail(process)) return
        // More keys than the clock believes: it was set back, or keys are used up faster than seconds pass.
        if (error instanceof FutureKeyError && (jumped || (process.policy.maxUsesPerKey ?? 1_000) < 1_000)) return
        // A race may be won by a process that does not know of a revocation yet: by the spec an error, and not for long.
        if (!/not valid for writing/.test(error.message) || turn === 3) throw error
      }
    }
  }
  /** Waits for work, unless the process's store is slow: then the work is seen to its end later. */
  const begin = async (process: Process, work: Promise<void>): Promise<void> => {
    if (process.gate === undefined) return work
    const seen = work.catch((error: unknown) => {
      failure ??= { error }
    })
    process.pending.add(seen)
    void seen.finally(() => process.pending.delete(seen))
    await settle()
  }
  const release = async (process: Process): Promise<void> => {
    if (process.gate === undefined) return
    const { metastore } = process.world
    metastore.before = undefined
    metastore.after = undefined
    const { gate } = process
    process.gate = undefined
    gate.resolve()
    await Promise.all(process.pending)
    setFault(process, process.fault)
  }
  const releaseAll = async (): Promise<void> => {
    for (const process of processes) await release(process)
  }

  const setFault = (process: Process, fault: Fault): void => {
    const fail = (): never => {
      throw new Error(`${fault}: down`)
    }
    process.fault = fault
    const { metastore, kms } = process.world
    metastore.before = fault === 'metastore' ? fail : undefined
    metastore.after = fault === 'lost answers' ? (call) => (call.method === 'store' ? fail() : undefined) : undefined
    kms.before = processes.some((one) => one.fault === 'kms') ? fail : undefined
  }
  const close = async ({ world }: Process): Promise<void> => {
    await world.factory.close()
    check(world.crypto.open === 0, `${world.crypto.open} keys stay open after close`)
    const { openKeys, rotations } = world.factory.stats()
    check(openKeys.systemKeys + openKeys.intermediateKeys === 0, 'stats count open keys after close')
    check(rotations.keys.length === 0, 'rotations wait after close')
  }
  /** Each step, and the rest of the work that earlier ones have left behind before time passes. */
  const step = async (work: () => Promise<void> | void, afterWorkBehind = false): Promise<void> => {
    executed += 1
    if (
      afterWorkBehind &&
      processes.some(({ policy }) => policy.rotation === 'queued' || policy.staleWhileRevalidate)
    ) {
      await settle()
    }
    await work()
    if (failure !== undefined) throw failure.error
  }

  return {
    get executed() {
      return executed
    },
    encrypt: (index, partition, count = 1) =>
      step(() => {
        const process = processAt(index)
        const calls = Array.from({ length: count }, () => encryptAnyhow(process, partition))
        return begin(
          process,
          Promise.all(calls).then(() => {}),
        )
      }),
    together: (partition) =>
      step(async () => {
        await Promise.all(processes.map((process) => begin(process, encryptAnyhow(process, partition))))
      }),
    decrypt: (index, which) =>
      step(() => {
        const known = written[which % Math.max(1, written.length)]
        if (known === undefined) return
        const process = processAt(index)
        const mightFail = mayFail(process)
        const read = async (): Promise<void> => {
          try {
            const text = textOf(await process.world.factory.getSession(known.partition).decrypt(known.record))
            check(text === known.text, 'a record decrypts to another text')
          } catch (error) {
            if (!(error instanceof AsherahError) || !(mightFail || mayFail(process))) throw error
          }
        }
        return begin(process, read())
      }),
    revoke: (id, latest) =>
      step(() => {
        const row = rows.of(id === 'sk' ? SYSTEM_KEY_ID : intermediateKeyId(id)).at(latest ? -1 : -2)
        if (row === undefined || row.revoked) return
        rows.revoke(row)
        revocations.set(nameOf(row), { at: clock.monotonicMs(), step: executed })
      }, true),
    advance: (ms) => step(() => clock.advance(ms), true),
    jump: (ms) =>
      step(() => {
        jumped = true
        clock.step(ms)
      }, true),
    fail: (index, fault) =>
      step(async () => {
        const process = processAt(index)
        await release(process)
        setFault(process, fault)
      }),
    slow: (index, when) =>
      step(async () => {
        const process = processAt(index)
        if (process.gate !== undefined) return release(process)
        setFault(process, 'none')
        const gate = createDeferred()
        process.gate = gate
        process.world.metastore[when] = () => gate.promise
      }),
    restart: (index) =>
      step(async () => {
        const process = processAt(index)
        await releaseAll() // a key may be waited for by all
        await close(process)
        process.world = createPeer(first, process.policy)
        process.startedIn = executed
        setFault(process, process.fault)
      }),
    end: () =>
      step(async () => {
        await releaseAll()
        for (const process of processes) setFault(process, 'none')
        await settle()
        const reader: Process = { ...processAt(0), world: createPeer(first, base) }
        for (const [i, { record, partition, text }] of written.entries()) {
          for (const { world } of [processAt(i), reader]) {
            const again = textOf(await world.factory.getSession(partition).decrypt(record))
            check(again === text, 'a record decrypts to another text')
          }
        }
        for (const process of [...processes, reader]) await close(process)
      }),
  }
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}
