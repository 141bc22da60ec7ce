import { connect, createServer, type Socket } from 'node:net'

/** Run by `startRelay`: `relay-child.ts PORT` passes bytes on to that port, a millisecond later each way. */

const DELAY_MS = 1
const target = Number(process.argv[2])

function passOn(from: Socket, to: Socket): void {
  // Timers of one length fire in their order.
  from.on('data', (bytes) => setTimeout(() => to.write(bytes), DELAY_MS))
  from.on('close', () => to.destroy())
  from.on('error', () => to.destroy())
}

const server = createServer((client) => {
  const upstream = connect(target, '127.0.0.1').setNoDelay(true)
  passOn(client.setNoDelay(true), upstream)
  passOn(upstream, client)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.(address.port)
})
process.on('disconnect', () => process.exit())
