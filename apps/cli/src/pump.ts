import { InterruptedError } from './errors.ts'
import { exitCodeFor } from './exit-codes.ts'
import type { Codec, Position } from './formats/format.ts'
import type { Input } from './io/input.ts'
import type { Output } from './io/output.ts'

/** What {@link pump} moves. */
export interface PumpOptions {
  readonly codec: Codec
  readonly input: Input
  readonly output: Output
  /** Aborted by SIGINT and SIGTERM; the reason is an {@link InterruptedError}. */
  readonly signal: AbortSignal
  onProgress(position: Position): void
}

/**
 * Runs a codec from the output's start to the end of the input, and publishes the output.
 *
 * One batch is in memory at a time: the next is read when the last has been written.
 */
export async function pump(options: PumpOptions): Promise<Position> {
  const { codec, input, output, signal } = options
  let position = output.start
  if (!output.complete) {
    // A pipe may stay silent for ever: a signal must not wait for its next byte.
    const cancel = (): void => input.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      for await (const batch of codec(input.open, position)) {
        await output.write(batch.output)
        position = batch.position
        await output.reached(position)
        options.onProgress(position)
        signal.throwIfAborted()
      }
    } catch (error) {
      // What failed because of the cancellation is not the reason.
      throw signal.aborted ? signal.reason : error
    } finally {
      signal.removeEventListener('abort', cancel)
    }
    signal.throwIfAborted()
    await input.checkUnchanged()
  }
  await output.publish(position)
  return position
}

/** A signal that SIGINT and SIGTERM abort; a second one ends the process at once. */
export function watchSignals(): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    const reason = new InterruptedError(name, 'interrupted')
    if (controller.signal.aborted) process.exit(exitCodeFor(reason))
    controller.abort(reason)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    dispose() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
