import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type HttpFaultProxy,
  startHttpFaultProxy,
  startTcpFaultProxy,
  type TcpFaultProxy,
} from '../src/services/fault-proxy.ts'

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

describe('the HTTP proxy', () => {
  let seen: string[]
  let server: ReturnType<typeof createHttpServer>
  let proxy: HttpFaultProxy

  beforeEach(async () => {
    seen = []
    server = createHttpServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${Buffer.concat(chunks)}`)
        response.writeHead(201, { 'x-from': 'service' }).end('answer')
      })
    })
    proxy = await startHttpFaultProxy(`http://127.0.0.1:${await listen(server)}`)
  })
  afterEach(async () => {
    await proxy.close()
    server.close()
  })

  const post = (signal?: AbortSignal) =>
    fetch(`${proxy.url}/a/b?c=d`, { method: 'POST', body: 'hello', ...(signal && { signal }) })

  test('without a fault the request and the answer pass unchanged, and the request is listed', async () => {
    const answer = await post()
    expect([answer.status, answer.headers.get('x-from'), await answer.text()]).toEqual([201, 'service', 'answer'])
    expect(seen).toEqual(['POST /a/b?c=d hello'])
    expect(proxy.requests.map(({ method, path, body }) => [method, path, String(body)])).toEqual([
      ['POST', '/a/b?c=d', 'hello'],
    ])
    proxy.forgetRequests()
    expect(proxy.requests).toEqual([])
  })

  test('reset: the service sees nothing', async () => {
    proxy.setFault({ kind: 'reset' })
    await expect(post()).rejects.toThrow('fetch failed')
    expect(seen).toEqual([])
  })

  test('dropAnswer: the service has done the work', async () => {
    proxy.setFault({ kind: 'dropAnswer' })
    await expect(post()).rejects.toThrow('fetch failed')
    expect(seen).toHaveLength(1)
  })

  test('hang: no answer until the client gives up', async () => {
    proxy.setFault({ kind: 'hang' })
    await expect(post(AbortSignal.timeout(200))).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(seen).toEqual([])
  })

  test('status: the answer of a load balancer; a choice may spare requests; undefined ends the fault', async () => {
    proxy.setFault(({ headers }) => (headers['x-spare'] === undefined ? { kind: 'status', status: 503 } : undefined))
    const answer = await post()
    expect([answer.status, await answer.text()]).toEqual([503, '<html><body><h1>503</h1></body></html>'])
    expect((await fetch(proxy.url, { headers: { 'x-spare': '1' } })).status).toBe(201)
    proxy.setFault(undefined)
    expect((await post()).status).toBe(201)
  })

  test('awsError: what the AWS clients take for an exception', async () => {
    proxy.setFault({ kind: 'awsError', type: 'ThrottlingException' })
    const answer = await post()
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { __type: 'ThrottlingException', message: 'injected ThrottlingException' },
    ])
  })

  test('latency: passed on all the same', async () => {
    proxy.setFault({ kind: 'latency', ms: 30 })
    expect((await post()).status).toBe(201)
  })

  test('a service that is down resets the connection', async () => {
    await new Promise((resolve) => server.close(resolve))
    await expect(post()).rejects.toThrow('fetch failed')
  })
})

describe('the TCP proxy', () => {
  let received: string
  let server: Server
  let proxy: TcpFaultProxy

  beforeEach(async () => {
    received = ''
    server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        received += String(chunk)
        socket.write(`echo ${chunk}`)
      })
    })
    proxy = await startTcpFaultProxy({ port: await listen(server) })
  })
  afterEach(async () => {
    await proxy.close()
    server.close()
  })

  /** The first answer, or the code of the error that ended the connection. */
  function say(text: string, waitMs = 5_000): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect({ host: proxy.host, port: proxy.port }, () => socket.write(text))
      const timer = setTimeout(() => end('nothing'), waitMs)
      const end = (result: string) => {
        clearTimeout(timer)
        socket.destroy()
        resolve(result)
      }
      socket.once('data', (chunk) => end(String(chunk)))
      socket.once('error', (error) => end('code' in error ? String(error.code) : error.message))
      socket.once('end', () => end('ended'))
    })
  }

  test('without a fault, and with latency, data passes both ways', async () => {
    expect(await say('one')).toBe('echo one')
    proxy.setFault({ kind: 'latency', ms: 20 })
    expect(await say('two')).toBe('echo two')
    expect(proxy.connections).toBe(2)
  })

  test('reset, hang and dropAnswer', async () => {
    proxy.setFault({ kind: 'reset' })
    expect(await say('one')).toBe('ECONNRESET')
    proxy.setFault({ kind: 'hang' })
    expect(await say('two', 200)).toBe('nothing')
    expect(received).toBe('')
    proxy.setFault({ kind: 'dropAnswer' })
    expect(await say('three')).toBe('ECONNRESET')
    expect(received).toBe('three')
    proxy.setFault(undefined)
    expect(await say('four')).toBe('echo four')
  })

  test('latency keeps the order, and the end comes last', async () => {
    proxy.setFault({ kind: 'latency', ms: 50 })
    const answer = new Promise<string>((resolve) => {
      let text = ''
      const socket = connect({ host: proxy.host, port: proxy.port, allowHalfOpen: true }, async () => {
        socket.write('one ')
        await new Promise((next) => setTimeout(next, 20))
        proxy.setFault(undefined)
        socket.end('two')
      })
      socket.on('data', (chunk) => {
        text += String(chunk)
      })
      socket.on('end', () => resolve(text))
    })
    expect(await answer).toMatch(/^echo one (echo )?two$/)
    expect(received).toBe('one two')
  })

  test('resetConnections ends what is open and lets new connections in', async () => {
    proxy.setFault({ kind: 'hang' })
    const open = say('one')
    await new Promise((resolve) => setTimeout(resolve, 100))
    proxy.setFault(undefined)
    proxy.resetConnections()
    expect(await open).toBe('ECONNRESET')
    expect(await say('two')).toBe('echo two')
  })
})
