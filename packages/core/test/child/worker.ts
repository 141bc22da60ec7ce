// A worker thread with a factory of its own. It goes on until it is told to stop, or is terminated.
import { parentPort, workerData } from 'node:worker_threads'
import { SessionFactory } from '../../src/index.ts'
import { bytesOf, createFakeKms, createFakeMetastore, recordEvents, textOf } from '../fakes.ts'

async function main(): Promise<void> {
  if (parentPort === null) throw new Error('this is not a worker')
  const events = recordEvents()
  const metastore = createFakeMetastore()
  if (workerData === 'hangs') metastore.before = () => new Promise(() => {})
  const factory = new SessionFactory({ service: 's', product: `p${workerData}`, metastore, kms: createFakeKms() })
  const session = factory.getSession('p')
  let stop = false
  parentPort.on('message', () => {
    stop = true
  })
  parentPort.postMessage('started')
  const drk: string[] = []
  while (!stop) {
    const record = await session.encrypt(bytesOf('x'))
    if (textOf(await session.decrypt(record)) !== 'x') throw new Error('wrong plaintext')
    drk.push(Buffer.from(record.data).toString('hex'))
    if (drk.length === 50) parentPort.postMessage('running')
    await new Promise((resolve) => setImmediate(resolve))
  }
  await factory.close()
  events.stop()
  // A record goes to another thread as it is: toJSON is on the prototype.
  parentPort.postMessage({ rows: drk.slice(0, 50), created: events.key.map(({ keyId }) => keyId) })
  parentPort.close()
}

void main()
