import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createPostgresMetastore } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { startPostgres } from '@asherah/testing/services'
import { beforeAll, expect, test } from 'vitest'
import { CREATED } from './records.ts'
import { createTable } from './server.ts'

/** A way to the server that can freeze: from then on nothing passes, not even the end of a connection. */
async function freezingProxy(target: { readonly host: string; readonly port: number }) {
  const clients = new Set<Socket>()
  const services = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const service = connect({ ...target, allowHalfOpen: true })
    clients.add(client)
    services.add(service)
    client.once('close', () => clients.delete(client))
    for (const socket of [client, service]) socket.on('error', () => socket.destroy())
    client.pipe(service, { end: false }).pipe(client, { end: false })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    clients,
    freeze(): void {
      for (const client of clients) client.unpipe().pause()
    },
    close(): void {
      server.close()
      for (const socket of [...clients, ...services]) socket.destroy()
    },
  }
}

const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length

describeService('PostgreSQL', await startPostgres(), (server) => {
  beforeAll(() => createTable(server.url))

  test.each(['idle', 'in use'])(
    'D-064 after close no socket is left to a server that froze while it was %s',
    async (state) => {
      const { database, user, password } = server
      const proxy = await freezingProxy(server)
      const config = { host: '127.0.0.1', port: proxy.port, database, user, password }
      const metastore = createPostgresMetastore({ config, queryTimeoutMs: 50, retryTimeoutMs: 0 })
      await metastore.load('k', CREATED)
      expect(proxy.clients.size).toBe(1)
      const open = sockets()
      proxy.freeze()
      if (state === 'in use') {
        await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
      }
      await metastore.close()
      await expect.poll(sockets, { timeout: 4_000 }).toBeLessThan(open)
      proxy.close()
    },
  )
})
