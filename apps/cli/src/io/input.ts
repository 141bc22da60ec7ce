import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { InvalidConfigError } from '@asherah/core'
import { FileError, fileError, tryFile } from '../errors.ts'
import type { OpenInput } from '../formats/format.ts'

/** What tells that a file is still the one that a run began with. */
export interface InputIdentity {
  /** In bytes. */
  readonly size: number
  /** Unix milliseconds. */
  readonly mtimeMs: number
  /** SHA-256, as hex, of the first MiB. */
  readonly prefixHash: string
}

/** A file or standard input. */
export interface Input {
  /** For messages: the path in quotes, or `standard input`. */
  readonly label: string
  readonly isStandardInput: boolean
  /** Undefined for standard input and other pipes. */
  readonly file: { readonly path: string; readonly identity: InputIdentity } | undefined
  readonly open: OpenInput
  /** Throws when the file has been changed since the run began. */
  checkUnchanged(): Promise<void>
  /** Ends a read of a pipe that may never end by itself. */
  cancel(): void
}

/** A stream that is read once, from its start: standard input, or a named pipe. */
export interface StandardInput extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined
  destroy(): unknown
}

const prefixBytes = 1024 * 1024
const readBytes = 256 * 1024

/** Opens a path, or standard input for `-` and undefined. */
export async function openInput(path: string | undefined, stdin: StandardInput): Promise<Input> {
  if (path === undefined || path === '-') {
    if (path === undefined && stdin.isTTY === true) {
      throw new InvalidConfigError('no INPUT: name a file, pipe data in, or give - to type it')
    }
    return pipeInput('standard input', stdin, true)
  }
  const label = `'${path}'`
  const info = await tryFile(`read ${label}`, () => stat(path))
  if (info.isDirectory()) throw new FileError(`cannot read ${label}: it is a folder`)
  if (!info.isFile()) return pipeInput(label, createReadStream(path, { highWaterMark: readBytes }), false)
  const identity = { size: info.size, mtimeMs: info.mtimeMs, prefixHash: await hashPrefix(path) }
  return {
    label,
    isStandardInput: false,
    file: { path, identity },
    open: (from) => readPath(path, from),
    cancel() {},
    async checkUnchanged() {
      const now = await tryFile(`read ${label}`, () => stat(path))
      if (now.size !== identity.size || now.mtimeMs !== identity.mtimeMs) {
        throw new FileError(`${label} was changed while it was read: run again`)
      }
    },
  }
}

function pipeInput(label: string, stream: StandardInput, isStandardInput: boolean): Input {
  return {
    label,
    isStandardInput,
    file: undefined,
    open: () => readPipe(stream, label),
    async checkUnchanged() {},
    cancel: () => void stream.destroy(),
  }
}

async function hashPrefix(path: string): Promise<string> {
  return tryFile(`read '${path}'`, async () => {
    const file = await open(path, 'r')
    try {
      const buffer = Buffer.alloc(prefixBytes)
      let length = 0
      while (length < prefixBytes) {
        const { bytesRead } = await file.read(buffer, length, prefixBytes - length, length)
        if (bytesRead === 0) break
        length += bytesRead
      }
      return createHash('sha256').update(buffer.subarray(0, length)).digest('hex')
    } finally {
      await file.close()
    }
  })
}

async function* readPath(path: string, from: number): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of createReadStream(path, { start: from, highWaterMark: readBytes })) yield asBytes(chunk)
  } catch (error) {
    throw fileError(`read '${path}'`, error)
  }
}

async function* readPipe(stream: StandardInput, label: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of stream) yield asBytes(chunk)
  } catch (error) {
    throw fileError(`read ${label}`, error)
  }
}

function asBytes(chunk: unknown): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk))
}
