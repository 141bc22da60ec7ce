import type { Channel } from './channel.ts'
import type { FaultBook, StatementFault } from './faults.ts'
import { PACKET, type TdsMessage } from './packets.ts'
import { parseBatch, parseRpc } from './rpc.ts'
import { executeSql, type Result, type Session } from './sql/execute.ts'
import { SqlError } from './sql/sql-error.ts'
import {
  columnMetadata,
  DONE,
  done,
  errorToken,
  resetDone,
  returnStatus,
  rowToken,
  type ServerError,
} from './tokens.ts'

/** Answers the requests of one client that has logged in. */
export interface RequestHandler {
  handle(message: TdsMessage): void
}

/** A connection after LOGINACK: batches, calls of `sp_executesql`, and attention. */
export function createRequestHandler(channel: Channel, session: Session, faults: FaultBook): RequestHandler {
  /** The request that has no answer yet. */
  let running: { readonly cancel: () => void } | undefined
  return {
    handle({ type, data, reset }) {
      if (type === PACKET.attention) {
        // The request that is ended has an answer of its own, and the attention another.
        if (running !== undefined) {
          running.cancel()
          running = undefined
          channel.send(PACKET.tabularResult, done('batch', DONE.error))
        }
        channel.send(PACKET.tabularResult, done('batch', DONE.attention))
        return
      }
      let timer: NodeJS.Timeout | undefined
      let cancelled = false
      const mine = {
        cancel() {
          cancelled = true
          clearTimeout(timer)
        },
      }
      running = mine
      const answer = (tokens: Buffer): void => {
        if (cancelled) return
        running = undefined
        channel.send(PACKET.tabularResult, reset ? Buffer.concat([resetDone(), tokens]) : tokens)
      }
      const kind = type === PACKET.rpc ? 'procedure' : 'batch'
      const { text, run } = requestOf(session, type, data)
      const fault = faults.takeStatement(text)
      const wait = (ms: number, tokens: Buffer): void => {
        timer = setTimeout(() => answer(tokens), ms)
      }
      if (fault === undefined) answer(answerOf(kind, run))
      else strike(channel, fault, kind, run, answer, wait)
    },
  }
}

interface Request {
  readonly text: string
  /** @throws SqlError */
  run(): readonly Result[]
}

function requestOf(session: Session, type: number, data: Buffer): Request {
  try {
    if (type === PACKET.sqlBatch) {
      const text = parseBatch(data)
      return { text, run: () => executeSql(session, text) }
    }
    if (type === PACKET.rpc) {
      const { text, parameters } = parseRpc(data)
      return { text, run: () => executeSql(session, text, parameters) }
    }
    throw new Error(`this server does not know TDS messages of type ${type}`)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return {
      text: '',
      run() {
        throw new SqlError(50_000, message)
      },
    }
  }
}

type Kind = 'procedure' | 'batch'

function strike(
  channel: Channel,
  { what, when = 'before' }: StatementFault,
  kind: Kind,
  run: () => readonly Result[],
  answer: (tokens: Buffer) => void,
  wait: (ms: number, tokens: Buffer) => void,
): void {
  const real = when === 'after' || (typeof what === 'object' && 'delayMs' in what) ? answerOf(kind, run) : undefined
  if (what === 'hang') return
  if (what === 'drop') channel.drop()
  else if ('delayMs' in what) wait(what.delayMs, real ?? Buffer.alloc(0))
  else {
    answer(errorAnswer(kind, what.error))
    if (what.error.severity >= 20) channel.drop()
  }
}

function answerOf(kind: Kind, run: () => readonly Result[]): Buffer {
  try {
    return resultAnswer(kind, run())
  } catch (error) {
    // A fault of this server itself must be seen as such, and not as a lost connection.
    return errorAnswer(
      kind,
      error instanceof SqlError ? error : new SqlError(50_000, `this server failed: ${String(error)}`),
    )
  }
}

function resultAnswer(kind: Kind, results: readonly Result[]): Buffer {
  const end = kind === 'batch' ? 'batch' : 'inProcedure'
  const tokens = results.flatMap(({ columns, rows, count }, i) => {
    const isLast = kind === 'batch' && i === results.length - 1
    const status = (isLast ? DONE.final : DONE.more) | (count === undefined ? 0 : DONE.count)
    return [
      ...(columns === undefined ? [] : [columnMetadata(columns), ...rows.map((row) => rowToken(columns, row))]),
      done(end, status, count),
    ]
  })
  if (kind === 'procedure') tokens.push(returnStatus(0), done('procedure', DONE.final))
  else if (results.length === 0) tokens.push(done('batch', DONE.final))
  return Buffer.concat(tokens)
}

function errorAnswer(kind: Kind, error: ServerError): Buffer {
  return Buffer.concat([errorToken(error), done(kind, DONE.error)])
}
