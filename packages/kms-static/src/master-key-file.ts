import { randomFillSync } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import {
  type Call,
  checkKnownOptions,
  InvalidConfigError,
  MASTER_KEY_BYTES,
  offHeapBytes,
  offHeapCopy,
} from '@asherah/core/backend'

/** Options of {@link readMasterKeyFile}. */
export interface MasterKeyFileOptions extends Call {
  /** Gets the warning about a file that group or others can use; default `process.emitWarning`. */
  onWarning?(message: string): void
}

const HEX_DIGITS = 2 * MASTER_KEY_BYTES
/** 64 hex digits and CR LF, and one byte more to see that a file is too long. */
const READ_BYTES = HEX_DIGITS + 3
const GROUP_AND_OTHERS = 0o077

/**
 * Reads a master key file: 32 raw bytes, or 64 hex digits with or without a newline at their end.
 *
 * @returns 32 bytes in memory of their own; wipe them once `createStaticKms` has them.
 * @throws InvalidConfigError when the file is missing, unreadable, or holds anything else.
 */
export async function readMasterKeyFile(path: string | URL, options: MasterKeyFileOptions = {}): Promise<Uint8Array> {
  checkKnownOptions('readMasterKeyFile', options, ['onWarning', 'signal'])
  const warn = options.onWarning ?? ((message) => process.emitWarning(message, { code: 'ASHERAH_MASTER_KEY_FILE' }))
  const bytes = offHeapBytes(READ_BYTES)
  try {
    const length = await readInto(bytes, path, warn)
    return parseKeyFile(bytes.subarray(0, length), path)
  } finally {
    bytes.fill(0)
  }
}

/**
 * Makes a key file: a new random master key as 64 hex digits and a newline, for the owner only (mode 0600).
 *
 * @throws InvalidConfigError when a file is there already (it is never overwritten) or cannot be written.
 */
export async function generateMasterKeyFile(path: string | URL): Promise<void> {
  const key = randomFillSync(offHeapBytes(MASTER_KEY_BYTES))
  const text = toHexLine(key)
  key.fill(0)
  try {
    const file = await openFile(path, 'wx')
    try {
      await file.writeFile(text)
      await file.sync()
    } catch (cause) {
      await unlink(path).catch(() => {}) // half a key must not stay; the failure to write is the one to report
      throw new InvalidConfigError(`the master key file ${path} cannot be written`, { cause })
    } finally {
      await file.close()
    }
  } finally {
    text.fill(0)
  }
}

async function openFile(path: string | URL, flags: 'r' | 'wx'): Promise<FileHandle> {
  try {
    return await open(path, flags, 0o600)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    const why =
      code === 'EEXIST'
        ? 'exists already, and is never overwritten'
        : code === 'ENOENT'
          ? 'is not there'
          : `cannot be opened (${code})`
    throw new InvalidConfigError(`the master key file ${path} ${why}`, { cause })
  }
}

async function readInto(bytes: Uint8Array, path: string | URL, warn: (message: string) => void): Promise<number> {
  const file = await openFile(path, 'r')
  try {
    const { mode, isFile } = await file.stat().then((s) => ({ mode: s.mode, isFile: s.isFile() }))
    if (process.platform !== 'win32' && isFile && (mode & GROUP_AND_OTHERS) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0')
      warn(`other users may read or replace the master key file ${path} (mode ${octal}): chmod 600 it`)
    }
    let length = 0
    // A pipe gives its bytes in pieces.
    while (length < bytes.byteLength) {
      const { bytesRead } = await file.read(bytes, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return length
  } catch (cause) {
    if (cause instanceof InvalidConfigError) throw cause
    throw new InvalidConfigError(`the master key file ${path} cannot be read`, { cause })
  } finally {
    await file.close()
  }
}

function parseKeyFile(content: Uint8Array, path: string | URL): Uint8Array {
  if (content.byteLength === MASTER_KEY_BYTES) return offHeapCopy(content)
  const key = offHeapBytes(MASTER_KEY_BYTES)
  if (isNewlineOrNothing(content.subarray(HEX_DIGITS)) && decodeHex(content, key)) return key
  key.fill(0)
  const length = content.byteLength === READ_BYTES ? `${READ_BYTES} bytes or more` : `${content.byteLength} bytes`
  const hint = content.byteLength === MASTER_KEY_BYTES + 1 ? '; is a newline at its end too much?' : ''
  throw new InvalidConfigError(
    `the master key file ${path} must hold 32 bytes, or 64 hex digits and an optional newline; it holds ${length} of something else${hint}`,
  )
}

function isNewlineOrNothing(tail: Uint8Array): boolean {
  const [first, second] = tail
  if (tail.byteLength === 0) return true
  if (tail.byteLength === 1) return first === 0x0a
  return tail.byteLength === 2 && first === 0x0d && second === 0x0a
}

/** Byte by byte: the digits never become a string, which could not be wiped. False: not 64 hex digits (D-080). */
function decodeHex(digits: Uint8Array, key: Uint8Array): boolean {
  if (digits.byteLength < HEX_DIGITS) return false
  for (let i = 0; i < key.byteLength; i++) {
    const high = hexValue(digits[2 * i])
    const low = hexValue(digits[2 * i + 1])
    if (high === undefined || low === undefined) return false
    key[i] = 16 * high + low
  }
  return true
}

function hexValue(code: number | undefined): number | undefined {
  if (code === undefined) return undefined
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : undefined
}

function toHexLine(key: Uint8Array): Uint8Array {
  const line = offHeapBytes(HEX_DIGITS + 1).fill(0x0a)
  const digit = (value: number): number => value + (value < 10 ? 0x30 : 0x61 - 10)
  key.forEach((byte, i) => {
    line[2 * i] = digit(byte >> 4)
    line[2 * i + 1] = digit(byte & 15)
  })
  return line
}
