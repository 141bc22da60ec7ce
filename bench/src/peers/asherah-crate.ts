import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The peer addon's session: the calls of the crate's Node binding. */
export interface PeerSession {
  encrypt(plaintext: Buffer): string
  decrypt(json: string): Buffer
  encryptAsync(plaintext: Buffer): Promise<string>
  decryptAsync(json: string): Promise<Buffer>
}

/** The peer addon's factory, over the crate's memory metastore and static KMS. */
export interface PeerFactory {
  getSession(partition: string): PeerSession
  /** As the binding's module-level call: a session for the call. */
  encrypt(partition: string, plaintext: Buffer): string
}

/** The peer addon. */
export interface Peer {
  readonly PeerFactory: new (cacheSessions: boolean, sessionCacheMaxSize: number) => PeerFactory
}

const CRATE = fileURLToPath(new URL('../../peers/asherah-crate', import.meta.url))
const LIBRARY = { darwin: 'libasherah_bench_peer.dylib', win32: 'asherah_bench_peer.dll' }

/** What the rows against it say. */
export const AGAINST_CRATE = 'napi addon over crate asherah 1.0.0'

let loaded: Peer | null | undefined

/** Builds the peer addon with cargo, in the user's cache folder, and loads it, once. Null, and said once, where there is no cargo. */
export function loadPeer(): Peer | null {
  if (loaded === undefined) loaded = buildAndLoad()
  return loaded
}

function buildAndLoad(): Peer | null {
  if (spawnSync('cargo', ['--version']).status !== 0) {
    process.stderr.write('no cargo here: the rows against the Rust crate have no peer\n')
    return null
  }
  const target = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'asherah-bench-target')
  const args = ['build', '--release', '--locked', '--manifest-path', join(CRATE, 'Cargo.toml')]
  const built = spawnSync('cargo', args, { stdio: 'inherit', env: { ...process.env, CARGO_TARGET_DIR: target } })
  if (built.status !== 0) throw new Error('cargo could not build bench/peers/asherah-crate')
  const platform = process.platform === 'darwin' || process.platform === 'win32' ? LIBRARY[process.platform] : undefined
  const library = join(target, 'release', platform ?? 'libasherah_bench_peer.so')
  // A copy of its own name: node loads what ends in .node.
  const addon = join(target, 'addon')
  mkdirSync(addon, { recursive: true })
  const file = join(addon, 'asherah-bench-peer.node')
  // Moved into place, not written there: to write into a library that another process has loaded crashes that process.
  const fresh = `${file}.${process.pid}`
  copyFileSync(library, fresh)
  renameSync(fresh, file)
  const peer: Peer = createRequire(import.meta.url)(file)
  return peer
}
