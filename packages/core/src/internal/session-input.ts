import { isSharedArrayBuffer, isUint8Array } from 'node:util/types'
import type { Call } from '../contracts/call.ts'
import { InvalidInputError } from '../errors.ts'
import type { RecordLimits } from './record-codec.ts'
import { byteLengthOf } from './record-fields.ts'
import { checkNotAborted } from './single-flight.ts'

/** Refuses what is no payload. The bytes count, whatever a property of the object says of them. */
export function checkPlaintext(plaintext: unknown, { maxPlaintextBytes }: RecordLimits): void {
  if (!isUint8Array(plaintext)) {
    const kind = plaintext === null ? 'null' : typeof plaintext
    throw new InvalidInputError(`a plaintext is a Uint8Array, not ${kind}: encode text as UTF-8, values as JSON`)
  }
  const byteLength = byteLengthOf(plaintext)
  if (byteLength > maxPlaintextBytes) {
    throw new InvalidInputError(
      `the plaintext has ${byteLength} bytes; the limit maxPlaintextBytes is ${maxPlaintextBytes}: ` +
        'encrypt larger data as a stream of chunks',
    )
  }
  if (byteLength === 0 && isGone(plaintext)) {
    throw new InvalidInputError("the plaintext's memory was transferred or shrunk: its bytes are gone")
  }
}

/** Empty because its buffer was detached, or made shorter than where it begins. */
function isGone(bytes: Uint8Array): boolean {
  try {
    return new Uint8Array(bytes).byteLength > 0
  } catch {
    return true
  }
}

/** Another thread could change shared memory while it is encrypted; a length that lies would mislead whoever reads it. */
export function mustBeCopied(plaintext: Uint8Array): boolean {
  return isSharedArrayBuffer(plaintext.buffer) || plaintext.byteLength !== byteLengthOf(plaintext)
}

/** @throws InvalidInputError for options that are none, AbortedError when the signal is aborted. */
export function checkCall(call: Call): void {
  const given: unknown = call
  if (typeof given !== 'object' || given === null) {
    throw new InvalidInputError('the options of a call are an object such as { signal }')
  }
  for (const name in call) {
    if (name !== 'signal') throw new InvalidInputError(`a call has no option ${JSON.stringify(name)}: known is signal`)
  }
  const { signal } = call
  if (signal === undefined) return
  if (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function') {
    throw new InvalidInputError('option signal is an AbortSignal')
  }
  checkNotAborted(signal)
}
