import { parentPort, workerData } from 'node:worker_threads'
import * as asherah from '@asherah/asherah'

// Sets up in a worker thread, with sync calls, and stays until it is terminated.

const before = asherah.getSetupStatus()
asherah.setLogHook(() => undefined)
asherah.setup(workerData)
const record = asherah.encrypt('p', 'worker')
parentPort?.postMessage({ before, ready: asherah.getSetupStatus(), text: asherah.decryptString('p', record) })
parentPort?.on('message', () => undefined)
