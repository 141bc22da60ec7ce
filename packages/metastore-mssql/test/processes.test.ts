import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describeService } from '@asherah/testing'
import { startSqlServer } from '@asherah/testing/services'
import { expect, test } from 'vitest'
import { CREATED, freshRow } from './records.ts'
import { createTable, metastoreOn, optionsFor } from './server.ts'

const RACER = fileURLToPath(new URL('./children/racer.ts', import.meta.url))
/** Node before 22.18 strips types only when asked to. */
const STRIP_TYPES = process.features.typescript === 'strip' ? [] : ['--experimental-strip-types']
const PROCESSES = 4
const STORES = 50

describeService('SQL Server, several processes', await startSqlServer(), (server) => {
  test('of 50 stores in each of 4 processes that race for one row, exactly one gives true (D-016)', async () => {
    const tableName = await createTable(server)
    const { keyId } = freshRow()
    const racers = Array.from({ length: PROCESSES }, () => {
      const options = JSON.stringify(optionsFor(server, { tableName, maxConnections: 5 }))
      const flags = ['--conditions=asherah-source', '--no-warnings', ...STRIP_TYPES]
      return spawn(process.execPath, [...flags, RACER, options, keyId, String(CREATED), String(STORES)])
    })
    try {
      const lines = await Promise.all(racers.map(firstAndRest))
      for (const racer of racers) racer.stdin.write('go\n')
      const counts = await Promise.all(lines.map(({ next }) => next()))
      const won = counts.filter((line) => line === `true: 1, false: ${STORES - 1}`)
      const lost = counts.filter((line) => line === `true: 0, false: ${STORES}`)
      expect([won.length, lost.length], counts.join('; ')).toEqual([1, PROCESSES - 1])
    } finally {
      for (const racer of racers) racer.kill()
    }
    const metastore = metastoreOn(server, { tableName })
    expect((await metastore.load(keyId, CREATED))?.created).toBe(CREATED)
    await metastore.close()
  })
})

/** Waits for `ready`; gives what reads the line after it. */
async function firstAndRest(child: ChildProcessWithoutNullStreams): Promise<{ next(): Promise<string> }> {
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += String(text)
  })
  const reader = createInterface({ input: child.stdout })
  const next = async (): Promise<string> => {
    const [line] = await Promise.race([
      once(reader, 'line'),
      once(reader, 'close').then(() => Promise.reject(new Error(`the racer ended: ${errors}`))),
    ])
    return String(line)
  }
  expect(await next()).toBe('ready')
  return { next }
}
