import { AsherahError } from '@asherah/core'
import { CommanderError } from 'commander'
import { InterruptedError } from './errors.ts'
import { BrokenPipeError } from './io/output.ts'

/** What the process ends with. */
export const exitCodes = {
  ok: 0,
  /** A file, the metastore or the KMS failed. */
  failure: 1,
  /** Bad options, or an output that is in the way: nothing was done. */
  usage: 2,
  /** The input is malformed, was altered, or belongs to another partition (EX_DATAERR of sysexits). */
  data: 65,
  interrupted: 130,
  /** Nobody reads the output any more, as for a program that SIGPIPE ended. */
  brokenPipe: 141,
  terminated: 143,
} as const

/** The exit code for what a command threw. */
export function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  if (error instanceof BrokenPipeError) return exitCodes.brokenPipe
  if (error instanceof InterruptedError) return error.signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
  if (!(error instanceof AsherahError)) return exitCodes.failure
  switch (error.code) {
    case 'ERR_ASHERAH_INVALID_CONFIG':
      return exitCodes.usage
    case 'ERR_ASHERAH_INVALID_INPUT':
    case 'ERR_ASHERAH_WRONG_PARTITION':
    case 'ERR_ASHERAH_DECRYPTION_FAILED':
      return exitCodes.data
    default:
      return exitCodes.failure
  }
}
