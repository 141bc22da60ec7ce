import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'

/** What a proxy does to one HTTP request instead of just passing it on. */
export type HttpFault =
  /** Passed on after this many milliseconds. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** The connection is reset; the service never sees the request. */
  | { readonly kind: 'reset' }
  /** Read, and never answered; the service never sees the request. */
  | { readonly kind: 'hang' }
  /** The service does the work, and its answer is lost: the connection is reset. */
  | { readonly kind: 'dropAnswer' }
  /** Answered by the proxy with this status; the default body is HTML, as a load balancer's is. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Answered as an AWS JSON service answers with an exception: 400, unless another status is given. */
  | { readonly kind: 'awsError'; readonly type: string; readonly status?: number; readonly message?: string }

/** A request as a fault's choice sees it. */
export interface ProxiedRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Chooses the fault of each request; `undefined` passes it on. */
export type HttpFaultChoice = (request: ProxiedRequest) => HttpFault | undefined

/** An HTTP proxy in front of one service. */
export interface HttpFaultProxy {
  /** Such as `http://127.0.0.1:40001`. */
  readonly url: string
  /** Every request that has arrived, oldest first. */
  readonly requests: readonly ProxiedRequest[]
  /** One fault for all requests, a choice for each, or none. */
  setFault(fault: HttpFault | HttpFaultChoice | undefined): void
  /** Forgets the requests that have arrived. */
  forgetRequests(): void
  /** Resets all connections and frees the port. */
  close(): Promise<void>
}

/**
 * Starts an HTTP proxy that can break each request on its way to `target`. Without a fault it changes nothing.
 *
 * @param target the service's URL, such as `http://127.0.0.1:4566`; only its host and port are used.
 * @example
 * const proxy = await startHttpFaultProxy(localStack.url)
 * proxy.setFault({ kind: 'awsError', type: 'ThrottlingException' })
 */
export async function startHttpFaultProxy(target: string): Promise<HttpFaultProxy> {
  const { hostname, port } = new URL(target)
  const requests: ProxiedRequest[] = []
  let choose: HttpFaultChoice = () => undefined

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const proxied: ProxiedRequest = {
      method: incoming.method ?? 'GET',
      path: incoming.url ?? '/',
      headers: incoming.headers,
      body: Buffer.concat(chunks),
    }
    requests.push(proxied)
    const fault = choose(proxied)
    switch (fault?.kind) {
      case 'reset':
        return resetConnection(incoming.socket)
      case 'hang':
        return
      case 'status':
        response.writeHead(fault.status, { 'content-type': 'text/html', ...fault.headers })
        response.end(fault.body ?? `<html><body><h1>${fault.status}</h1></body></html>`)
        return
      case 'awsError':
        response.writeHead(fault.status ?? 400, { 'content-type': 'application/x-amz-json-1.1' })
        response.end(JSON.stringify({ __type: fault.type, message: fault.message ?? `injected ${fault.type}` }))
        return
      case 'latency':
        await new Promise((resolve) => setTimeout(resolve, fault.ms))
        break
    }
    forward(proxied, fault?.kind === 'dropAnswer', incoming, response)
  }

  function forward(proxied: ProxiedRequest, drop: boolean, incoming: IncomingMessage, response: ServerResponse): void {
    const { method, path, headers, body } = proxied
    const outgoing = request({ host: hostname, port, method, path, headers, agent: false }, (answer) => {
      if (drop) {
        answer.resume().once('end', () => resetConnection(incoming.socket))
        return
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.once('error', () => resetConnection(incoming.socket))
    outgoing.end(body)
  }

  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => resetConnection(incoming.socket))
  })
  const listening = await listen(server)
  return {
    url: `http://127.0.0.1:${listening.port}`,
    requests,
    setFault(fault) {
      choose = typeof fault === 'function' ? fault : () => fault
    },
    forgetRequests() {
      requests.length = 0
    },
    close: listening.close,
  }
}

/** What a TCP proxy does to a connection. */
export type TcpFault =
  /** Each piece of data, both ways, waits this many milliseconds. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** New connections are reset at once; the ones that are open, at their next piece of data. */
  | { readonly kind: 'reset' }
  /** Connections open, and nothing passes. */
  | { readonly kind: 'hang' }
  /** What the client sends arrives; the service's next answer is lost and the connection is reset. */
  | { readonly kind: 'dropAnswer' }

/** A TCP proxy in front of one service, whatever it speaks. */
export interface TcpFaultProxy {
  readonly host: '127.0.0.1'
  readonly port: number
  /** Connections that have been opened so far. */
  readonly connections: number
  /** For the connections that are open and for those to come, from the next piece of data on. */
  setFault(fault: TcpFault | undefined): void
  /** Resets every connection that is open; new ones may come. */
  resetConnections(): void
  /** Resets all connections and frees the port. */
  close(): Promise<void>
}

/** Starts a TCP proxy that can break connections to `host`:`port`. Without a fault it changes nothing. */
export async function startTcpFaultProxy(target: {
  readonly host?: string
  readonly port: number
}): Promise<TcpFaultProxy> {
  let fault: TcpFault | undefined
  let connections = 0

  const pass = (from: Socket, to: Socket, isAnswer: boolean): void => {
    // Whatever the delays, in the order in which it came: also when the fault changes in between.
    const delayed: (() => void)[] = []
    const inOrder = (action: () => void): void => {
      const ms = fault?.kind === 'latency' ? fault.ms : 0
      if (ms === 0 && delayed.length === 0) {
        action()
      } else {
        delayed.push(action)
        setTimeout(() => delayed.shift()?.(), ms)
      }
    }
    from.on('data', (chunk) => {
      if (fault?.kind === 'hang') return
      if (fault?.kind === 'reset' || (fault?.kind === 'dropAnswer' && isAnswer)) return resetConnection(from, to)
      inOrder(() => to.write(chunk))
    })
    from.on('end', () => inOrder(() => to.end()))
    from.on('error', () => resetConnection(from, to))
  }

  const server = createTcpServer({ allowHalfOpen: true }, (client) => {
    connections += 1
    if (fault?.kind === 'reset') return resetConnection(client)
    const service = connect({ host: target.host ?? '127.0.0.1', port: target.port, allowHalfOpen: true })
    pass(client, service, false)
    pass(service, client, true)
    client.once('close', () => service.destroy())
    service.once('close', () => client.destroy())
  })
  const listening = await listen(server)
  return {
    host: '127.0.0.1',
    port: listening.port,
    get connections() {
      return connections
    },
    setFault(next) {
      fault = next
    },
    resetConnections: listening.resetConnections,
    close: listening.close,
  }
}

interface Listening {
  readonly port: number
  resetConnections(): void
  close(): Promise<void>
}

async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const resetConnections = (): void => resetConnection(...sockets)
  return {
    port: portOf(server.address()),
    resetConnections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        resetConnections()
      }),
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no TCP port')
  return address.port
}

function resetConnection(...sockets: readonly Socket[]): void {
  for (const socket of sockets) {
    if (!socket.destroyed) socket.resetAndDestroy()
  }
}
