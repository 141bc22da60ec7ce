import { Readable } from 'node:stream'
import { ClosedError, type Secret } from '@asherah/core/backend'
import { runAction } from './actions.ts'
import { Owner } from './owner.ts'
import type { Region } from './region.ts'
import { freeRegion, giveRegion, takeRegion } from './region-pool.ts'
import type { Purgeable } from './registry.ts'

const CHUNK_BYTES = 16_384

/** The open secrets of one factory; alive as long as the factory or one of its secrets is. */
export class ProtectedVault implements Purgeable {
  readonly owner: Owner = new Owner('protected', false)
  readonly cells: Set<Cell> = new Set()

  purge(): void {
    for (const cell of this.cells) cell.purge()
    this.owner.allSecretsGone()
    this.owner.publish('purged')
  }
}

/** The page set of one secret, without access but while the secret is used. Apart from the secret, which may be dropped. */
export class Cell {
  readonly length: number
  readonly #region: Region
  readonly #vault: ProtectedVault
  /** Page sets in which actions see the secret while another action has its own pages. */
  readonly #copies = new Set<Region>()
  #closed = false
  #busy = false

  /** @param fill Writes the secret. Whatever it throws, nothing stays behind. */
  constructor(length: number, vault: ProtectedVault, fill: (bytes: Uint8Array) => void) {
    const { owner } = vault
    this.length = length
    this.#vault = vault
    this.#region = takeRegion(length, owner)
    try {
      fill(this.#region.window(length))
      this.#region.noAccess()
    } catch (error) {
      giveRegion(this.#region, owner)
      throw error
    }
    vault.cells.add(this)
    owner.secretMade(length, false)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Read-only pages with the secret; give them to {@link end}. */
  begin(): Region {
    if (this.#closed) throw new ClosedError('the secret is closed')
    if (this.#busy) return this.#copy()
    this.#region.readOnly()
    this.#busy = true
    return this.#region
  }

  /** Detaches what the action saw, and protects or wipes the pages. */
  end(region: Region): void {
    if (region.freed) return // by `purge`
    if (region !== this.#region) {
      this.#copies.delete(region)
      giveRegion(region, this.#vault.owner)
      return
    }
    this.#busy = false
    if (this.#closed) {
      this.#release()
      return
    }
    try {
      region.takeBack()
    } catch (error) {
      this.#lose()
      throw error
    }
    region.noAccess()
  }

  /** Idempotent. An action that runs ends first. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (!this.#busy) this.#release()
    this.#vault.owner.secretGone(this.length, false)
  }

  /** Nobody holds the secret any more. */
  drop(): void {
    this.close()
    this.#vault.owner.secretDropped()
  }

  /** Wipes at once, under running actions, too. The caller counts. */
  purge(): void {
    this.#closed = true
    this.#vault.cells.delete(this)
    freeRegion(this.#region, this.#vault.owner)
    for (const copy of this.#copies) freeRegion(copy, this.#vault.owner)
    this.#copies.clear()
  }

  #release(): void {
    this.#vault.cells.delete(this)
    giveRegion(this.#region, this.#vault.owner)
  }

  /** The action took the pages: there is no secret any more. */
  #lose(): void {
    this.#closed = true
    this.#vault.cells.delete(this)
    this.#vault.owner.counters.pagesGiven(this.#region.bytes, this.#region.locked)
    this.#vault.owner.secretGone(this.length, false)
  }

  /** A view of the one action would die with the other's. */
  #copy(): Region {
    const source = this.#region.window(this.length)
    const copy = takeRegion(this.length, this.#vault.owner)
    try {
      copy.window(this.length).set(source)
      copy.readOnly()
    } catch (error) {
      giveRegion(copy, this.#vault.owner)
      throw error
    }
    this.#copies.add(copy)
    return copy
  }
}

/** A {@link Secret} with a page set of its own. */
export class ProtectedSecret implements Secret {
  readonly #cell: Cell

  constructor(cell: Cell) {
    this.#cell = cell
    dropped.register(this, cell)
  }

  get length(): number {
    return this.#cell.length
  }

  get closed(): boolean {
    return this.#cell.closed
  }

  close(): void {
    this.#cell.close()
  }

  withBytes<T>(action: (bytes: Uint8Array) => T): T {
    const cell = this.#cell
    const region = cell.begin()
    try {
      return runAction(action, region.window(cell.length))
    } finally {
      cell.end(region)
    }
  }

  async withBytesAsync<T>(action: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const cell = this.#cell
    const region = cell.begin()
    try {
      return await action(region.window(cell.length))
    } finally {
      cell.end(region)
    }
  }

  reader(): Readable {
    if (this.closed) throw new ClosedError('the secret is closed')
    return Readable.from(chunks(this), { objectMode: false })
  }
}

const dropped = new FinalizationRegistry<Cell>((cell) => {
  if (!cell.closed) cell.drop()
})

/** Copies on the heap, since a stream keeps its chunks for as long as its reader likes. */
function* chunks(secret: Secret): Generator<Buffer> {
  for (let at = 0; at < secret.length; at += CHUNK_BYTES) {
    yield secret.withBytes((bytes) => {
      const part = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, bytes.byteLength - at))
      part.set(bytes.subarray(at, at + part.byteLength))
      return part
    })
  }
}
