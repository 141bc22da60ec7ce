import { Readable } from 'node:stream'
import { ClosedError, type Secret } from '@asherah/core/backend'
import { runAction } from './actions.ts'
import type { EnclaveStore, SealedSecret } from './enclave-store.ts'
import type { Region } from './region.ts'

/** A {@link Secret} that is encrypted but while an action runs. */
export class EnclaveSecret implements Secret {
  readonly #sealed: SealedSecret

  constructor(sealed: SealedSecret) {
    this.#sealed = sealed
    dropped.register(this, sealed)
  }

  get length(): number {
    return this.#sealed.length
  }

  get closed(): boolean {
    return !this.#sealed.open || this.#sealed.store.closed
  }

  close(): void {
    this.#sealed.store.release(this.#sealed)
  }

  withBytes<T>(action: (bytes: Uint8Array) => T): T {
    const store = this.#store()
    const region = store.open(this.#sealed)
    try {
      return runAction(action, this.#view(region))
    } finally {
      store.giveBack(region)
    }
  }

  async withBytesAsync<T>(action: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const store = this.#store()
    const region = store.open(this.#sealed)
    try {
      return await action(this.#view(region))
    } finally {
      store.giveBack(region)
    }
  }

  reader(): Readable {
    this.#store()
    return Readable.from(this.#parts(), { objectMode: false })
  }

  #view(region: Region): Uint8Array {
    return region.window(this.#sealed.length)
  }

  #store(): EnclaveStore {
    if (this.closed) throw new ClosedError('the secret is closed')
    return this.#sealed.store
  }

  /** Copies on the heap, since a stream keeps its chunks for as long as its reader likes. */
  *#parts(): Generator<Buffer> {
    for (let part = 0; ; part++) {
      const bytes = this.#store().readPart(this.#sealed, part)
      if (bytes === undefined) return
      yield bytes
    }
  }
}

const dropped = new FinalizationRegistry<SealedSecret>((sealed) => {
  if (sealed.open) sealed.store.drop(sealed)
})
