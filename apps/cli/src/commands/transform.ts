import { AsherahError, type Clock, InvalidConfigError } from '@asherah/core'
import { InterruptedError } from '../errors.ts'
import { exitCodeFor, exitCodes } from '../exit-codes.ts'
import type { Direction } from '../formats/format.ts'
import { type Input, openInput } from '../io/input.ts'
import { createDeviceOutput, createStreamOutput, isSameFile, type Output, resolveTarget } from '../io/output.ts'
import { openPartialFile } from '../io/partial-file.ts'
import { promptHidden } from '../keys/hidden-prompt.ts'
import { openKms } from '../keys/kms-setting.ts'
import { checkMetastoreExists } from '../keys/metastore-url.ts'
import { createCodec, createPlan, type Plan, runOptions } from '../plan.ts'
import { createProgress } from '../progress.ts'
import { pump, watchSignals } from '../pump.ts'
import { createSessionCipher, type SessionCipher } from '../session-cipher.ts'
import type { Settings } from '../settings.ts'
import { createSummary, formatSummary, type Summary } from '../summary.ts'
import type { CommandContext } from './context.ts'

/** Flags of `encrypt` and `decrypt` beside the settings. */
export interface TransformFlags {
  readonly output?: string | undefined
  readonly force?: boolean | undefined
  readonly resume?: boolean | undefined
  readonly quiet?: boolean | undefined
  readonly json?: boolean | undefined
}

/** What {@link runTransform} takes. */
export interface TransformOptions {
  readonly direction: Direction
  readonly input: string | undefined
  readonly flags: TransformFlags
  readonly settings: Settings
  readonly context: CommandContext
  /** For the demo: another time. */
  readonly clock?: Clock
}

/** Encrypts or decrypts one input, as the commands do, and returns what was done. */
export async function runTransform(options: TransformOptions): Promise<Summary> {
  const { flags, settings, context } = options
  const plan = createPlan(options.direction, settings, options.input)
  checkFlags(options)
  const place = plan.metastore
  const input = await openInput(options.input, context.stdin)
  await refuseOverwriting(toFile(flags.output), [
    ['the input', input.file?.path],
    ['the metastore', place.file],
    ['the master key file', settings.text('masterKeyFile')],
    ['the config file', settings.configFile],
  ])
  const kms = await openKms({
    settings,
    env: context.env,
    prompt: terminalPrompt(context, input),
    warn: (message) => void context.stderr.write(`asherah: warning: ${message}\n`),
  })
  try {
    const metastore = await place.open()
    try {
      const clock = options.clock === undefined ? {} : { clock: options.clock }
      const cipher = createSessionCipher({ ...plan, metastore, kms, ...clock })
      try {
        return await transform(options, plan, input, cipher)
      } catch (error) {
        // Not looked at before: a file without a value to decrypt needs no metastore.
        if (error instanceof AsherahError && error.code === 'ERR_ASHERAH_KEY_NOT_FOUND') {
          await checkMetastoreExists(place)
        }
        throw error
      } finally {
        await cipher.close()
      }
    } finally {
      await metastore.close()
    }
  } finally {
    await kms.close?.()
  }
}

async function transform(options: TransformOptions, plan: Plan, input: Input, cipher: SessionCipher): Promise<Summary> {
  const { flags, context } = options
  const output = await openOutput(options, plan, input)
  const progress = createProgress({
    // On a terminal that shows the data there is no room for a bar.
    enabled: flags.quiet !== true && !(toFile(flags.output) === undefined && context.stdout.isTTY === true),
    stream: context.stderr,
    total: input.file?.identity.size,
    start: output.start,
  })
  const signals = watchSignals()
  const started = performance.now()
  try {
    const codec = createCodec(plan, cipher)
    const end = await pump({ codec, input, output, signal: signals.signal, onProgress: progress.update })
    return createSummary({
      command: plan.direction,
      format: plan.format,
      input: options.input ?? '-',
      output: flags.output ?? '-',
      start: output.start,
      end,
      cipher,
      elapsedMs: performance.now() - started,
    })
  } catch (error) {
    progress.stop()
    if (await output.abandon(isWorthKeeping(error, flags.resume === true))) {
      context.stderr.write('asherah: what was done so far is kept: run again with --resume to go on\n')
    }
    throw error
  } finally {
    progress.stop()
    signals.dispose()
  }
}

/** Prints a summary: for `--json` on standard output, unless the data goes there. */
export function printSummary(summary: Summary, flags: TransformFlags, context: CommandContext): void {
  if (flags.json === true) {
    const stream = toFile(flags.output) === undefined ? context.stderr : context.stdout
    stream.write(`${JSON.stringify(summary)}\n`)
  } else if (flags.quiet !== true) {
    context.stderr.write(`${formatSummary(summary)}\n`)
  }
}

/** The path of `-o`; undefined for standard output. */
function toFile(output: string | undefined): string | undefined {
  return output === '-' ? undefined : output
}

function checkFlags({ flags, input }: TransformOptions): void {
  if (flags.force === true && flags.resume === true) throw new InvalidConfigError('give --force or --resume, not both')
  if (flags.resume !== true) return
  if (toFile(flags.output) === undefined) throw new InvalidConfigError('--resume needs an output file: -o FILE')
  if (input === undefined || input === '-') {
    throw new InvalidConfigError('--resume needs an input file: standard input cannot be read again')
  }
}

async function refuseOverwriting(
  output: string | undefined,
  inputs: readonly (readonly [what: string, path: string | undefined])[],
): Promise<void> {
  if (output === undefined) return
  for (const [what, path] of inputs) {
    if (path !== undefined && (await isSameFile(output, path))) {
      throw new InvalidConfigError(`-o '${output}' is ${what}: give another output`)
    }
  }
}

async function openOutput({ flags, context }: TransformOptions, plan: Plan, input: Input): Promise<Output> {
  const path = toFile(flags.output)
  if (path === undefined) return createStreamOutput(context.stdout, 'standard output', { end: false })
  const target = await resolveTarget(path)
  if (flags.resume === true && (input.file === undefined || target.kind === 'device')) {
    throw new InvalidConfigError('--resume needs a regular file as input and as output')
  }
  if (target.kind === 'device') return createDeviceOutput(target.path)
  return openPartialFile({
    target,
    input,
    run: runOptions(plan),
    force: flags.force === true,
    resume: flags.resume === true,
    // What is decrypted is for its owner; what is encrypted may have the usual permissions.
    mode: plan.direction === 'decrypt' ? 0o600 : 0o666,
  })
}

/** A prompt for the master key, where somebody sits at a terminal that the data does not come from. */
function terminalPrompt(context: CommandContext, input: Input): ((question: string) => Promise<string>) | undefined {
  const { stdin, stderr } = context
  if (stdin.isTTY !== true || stderr.isTTY !== true || input.isStandardInput) return undefined
  return (question) => promptHidden(question, stdin, stderr)
}

/**
 * Whether a failed run's output is any use: not when the input itself is at fault, and not after Ctrl-C, unless the
 * run was started with `--resume`.
 */
function isWorthKeeping(error: unknown, resume: boolean): boolean {
  if (error instanceof InterruptedError) return resume || error.signal !== 'SIGINT'
  return exitCodeFor(error) !== exitCodes.data
}
