import { Coffer, type RekeyPolicy, TAG_BYTES } from './coffer.ts'
import type { Owner } from './owner.ts'
import type { Region } from './region.ts'
import type { Purgeable } from './registry.ts'
import { Scratch } from './scratch.ts'
import { type OnLockLimit, type Slab, SlotAllocator } from './slots.ts'
import { loadSodium } from './sodium.ts'

/** Large secrets are sealed in parts, so that one at a time need be in locked memory. A part and a canary fill 4 pages. */
const PART_BYTES = 16_368
const SEALED_PART_BYTES: number = PART_BYTES + TAG_BYTES

/** Where a secret's sealed bytes are. Apart from the secret, so that a dropped secret's slot can be given back. */
export interface SealedSecret {
  readonly store: EnclaveStore
  readonly slab: Slab
  readonly slot: number
  /** The coffer's number for this sealing. */
  readonly serial: number
  /** Of the secret, in bytes. */
  readonly length: number
  open: boolean
}

/** A factory: its secrets keep it alive by way of their store, so that `purge` finds them. */
export interface StoreHome extends Purgeable {
  readonly owner: Owner
}

/** What a store needs to know of its factory's options. */
export interface StoreOptions extends RekeyPolicy {
  readonly onLockLimit: OnLockLimit
  readonly writableViews: boolean
}

/** A coffer, the slots of what it sealed, and the pages in which that is opened. */
export class EnclaveStore {
  readonly home: StoreHome
  readonly #owner: Owner
  readonly #coffer: Coffer
  readonly #scratch: Scratch
  readonly #slots: SlotAllocator
  readonly #writableViews: boolean
  #closed = false

  /** @throws SecureMemoryError when its two pages cannot be locked, unless the owner allows that. */
  constructor(home: StoreHome, options: StoreOptions) {
    const { owner } = home
    this.home = home
    this.#owner = owner
    this.#writableViews = options.writableViews
    this.#coffer = new Coffer(owner, options)
    try {
      this.#scratch = new Scratch(owner)
    } catch (error) {
      this.#coffer.close(true)
      throw error
    }
    let warned = false
    this.#slots = new SlotAllocator(owner, {
      onLockLimit: options.onLockLimit,
      onOrdinary() {
        owner.publish('lockLimit')
        if (!warned)
          owner.warn('MEMORY_LOCK_LIMIT', 'no more memory can be locked: encrypted secrets go to ordinary memory')
        warned = true
      },
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * By way of locked pages, and not straight from `bytes`: V8 has arrays of up to 64 bytes on its heap, and copies them out
   * when native code or `subarray` asks for their buffer, so that wiping the array would leave the first copy behind.
   *
   * @param bytes The caller wipes them.
   */
  seal(bytes: Uint8Array): SealedSecret {
    const { byteLength } = bytes
    if (byteLength <= PART_BYTES) return this.#seal(byteLength, (target) => target.set(bytes))
    return this.#seal(byteLength, (target, at) => target.set(bytes.subarray(at, at + target.byteLength)))
  }

  sealRandom(length: number): SealedSecret {
    return this.#seal(length, (target) => loadSodium().randombytes_buf(target))
  }

  /** The secret in pages of its own, read-only unless the options say otherwise; give them to {@link giveBack}. */
  open(sealed: SealedSecret): Region {
    const { slab, slot, serial, length } = sealed
    const region = this.#scratch.lease(length)
    try {
      const bytes = region.window(length)
      const start = slot * slab.slotBytes
      if (length <= PART_BYTES) {
        this.#coffer.open(bytes, slab.memory.subarray(start, start + length + TAG_BYTES), serial, 0)
      } else {
        for (let part = 0; part * PART_BYTES < length; part++) {
          const target = bytes.subarray(part * PART_BYTES, Math.min((part + 1) * PART_BYTES, length))
          this.#coffer.open(target, sealedPart(sealed, part), serial, part)
        }
      }
      if (!this.#writableViews) region.readOnly()
    } catch (error) {
      this.#scratch.giveBack(region)
      throw error
    }
    return region
  }

  /** Detaches what the action saw, and wipes it. */
  giveBack(region: Region): void {
    this.#scratch.giveBack(region)
  }

  /** One part as a copy on the heap; undefined past the end. */
  readPart(sealed: SealedSecret, part: number): Buffer | undefined {
    const length = Math.min(PART_BYTES, sealed.length - part * PART_BYTES)
    if (length <= 0) return undefined
    const region = this.#scratch.lease(length)
    try {
      const bytes = region.window(length)
      this.#coffer.open(bytes, sealedPart(sealed, part), sealed.serial, part)
      const copy = Buffer.allocUnsafeSlow(length)
      copy.set(bytes)
      return copy
    } finally {
      this.#scratch.giveBack(region)
    }
  }

  /** Wipes a secret's slot; idempotent. */
  release(sealed: SealedSecret): void {
    if (!sealed.open) return
    sealed.open = false
    if (this.#closed) return
    this.#slots.give(sealed.slab, sealed.slot)
    this.#owner.secretGone(sealed.length, sealed.slab.region === undefined)
  }

  /** Nobody holds the secret any more. */
  drop(sealed: SealedSecret): void {
    if (this.#closed) return
    this.release(sealed)
    this.#owner.secretDropped()
  }

  /** @param atOnce Wipe what running actions see, too; else that happens when they end. */
  close(atOnce: boolean): void {
    if (this.#closed) return
    this.#closed = true
    this.#coffer.close(atOnce)
    this.#slots.clear()
    this.#scratch.close(atOnce)
    this.#owner.allSecretsGone()
  }

  /** @param fill Writes a part of the secret, the one that starts `at`, into locked pages that are wiped afterwards. */
  #seal(length: number, fill: (target: Uint8Array, at: number) => void): SealedSecret {
    const slab = this.#slots.slabFor(length + TAG_BYTES * Math.ceil(length / PART_BYTES))
    const slot = this.#slots.take(slab)
    const serial = this.#coffer.nextSerial()
    const sealed = { store: this, slab, slot, serial, length, open: true }
    try {
      for (let part = 0; part * PART_BYTES < length; part++) this.#sealPart(sealed, part, fill)
    } catch (error) {
      this.#slots.give(slab, slot)
      throw error
    }
    this.#owner.secretMade(length, slab.region === undefined)
    return sealed
  }

  #sealPart(sealed: SealedSecret, part: number, fill: (target: Uint8Array, at: number) => void): void {
    const length = Math.min(PART_BYTES, sealed.length - part * PART_BYTES)
    const region = this.#scratch.lease(length)
    try {
      const bytes = region.window(length)
      fill(bytes, part * PART_BYTES)
      this.#coffer.seal(sealedPart(sealed, part), bytes, sealed.serial, part)
    } finally {
      this.#scratch.giveBack(region)
    }
  }
}

function sealedPart({ slab, slot, length }: SealedSecret, part: number): Uint8Array {
  const start = slot * slab.slotBytes + part * SEALED_PART_BYTES
  const partLength = Math.min(PART_BYTES, length - part * PART_BYTES)
  return slab.memory.subarray(start, start + partLength + TAG_BYTES)
}
