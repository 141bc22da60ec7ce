import { subscribe } from 'node:diagnostics_channel'
import Module from 'node:module'
import { DatabaseSync } from 'node:sqlite'
import { MessagePort } from 'node:worker_threads'
import { type AsherahConfig, cobhanCode, decryptString, encrypt, setup } from '@asherah/asherah'

// A program whose event loop never turns. It prints what the test looks at, as JSON.

const [scenario = '', file = '', ...without] = process.argv.slice(2)
const asked: string[] = []
/** The memory in which system keys and payloads crossed. */
const shared: SharedArrayBuffer[] = []
const loaded: string[] = []
const warnings: string[] = []

const post = MessagePort.prototype.postMessage
Reflect.set(MessagePort.prototype, 'postMessage', function (this: MessagePort, ...given: unknown[]) {
  const request: unknown = Reflect.get(Object(given[0]), 'request')
  if (request !== undefined) {
    asked.push(String(Reflect.get(Object(request), 'op')))
    for (const value of Object.values(Object(request))) if (value instanceof SharedArrayBuffer) shared.push(value)
  }
  Reflect.apply(post, this, given)
})
const resolve: unknown = Reflect.get(Module, '_resolveFilename')
Reflect.set(Module, '_resolveFilename', (name: string, ...rest: unknown[]): unknown => {
  if (!name.startsWith('@asherah/')) return Reflect.apply(Object(resolve), Module, [name, ...rest])
  if (without.includes(name)) throw new Error(`${name} is not installed here`)
  loaded.push(name)
  return Reflect.apply(Object(resolve), Module, [name, ...rest])
})
subscribe('asherah:warning', (message) => warnings.push(String(Reflect.get(Object(message), 'code'))))

const config: AsherahConfig = {
  ServiceName: 'service',
  ProductID: 'product',
  Metastore: 'sqlite',
  ConnectionString: file,
  KMS: 'static',
  StaticMasterKeyHex: '1f8e3ac47b902d5566c4f0a9e1b37d8812fe6a4b9c03d7e5a8416b2d90cf7e35',
}
const createdOf = (record: string): number => JSON.parse(record).Key.ParentKeyMeta.Created
const askedBy = (call: () => void): string[] => {
  asked.length = 0
  call()
  return [...asked]
}

function loop(): object {
  setup(config)
  const first = askedBy(() => void encrypt('p', 'first'))
  const record = encrypt('p', 'payload')
  const loops = askedBy(() => {
    for (let i = 0; i < 10_000; i++) encrypt('p', 'payload')
    for (let i = 0; i < 1_000; i++) decryptString('p', record)
  })
  encrypt('q', 'second partition')
  const second = askedBy(() => void encrypt('q', 'second partition'))
  const bytesCrossed = shared.length
  const wiped = shared.every((memory) => new Uint8Array(memory).every((byte) => byte === 0))
  return { first, loops, second, bytesCrossed, wiped, text: decryptString('p', record), loaded, warnings }
}

/** Another process's keys: this one's first calls find them. */
function existing(): object {
  setup(config)
  const first = askedBy(() => void encrypt('p', 'payload'))
  const second = askedBy(() => void encrypt('q', 'payload'))
  const rest = askedBy(() => {
    for (const partition of ['p', 'q']) for (let i = 0; i < 1_000; i++) encrypt(partition, 'payload')
  })
  return { first, second, rest }
}

/** Revokes a key behind the program's back, which has to notice. */
function revoke(prefix: string): object {
  setup({ ...config, CheckInterval: 1 })
  const record = encrypt('p', 'payload')
  const database = new DatabaseSync(file)
  database.exec(
    `UPDATE encryption_key SET key_record = json_set(key_record, '$.Revoked', json('true')) WHERE id LIKE '${prefix}%'`,
  )
  database.close()
  const start = performance.now()
  let now = record
  while (createdOf(now) === createdOf(record) && performance.now() - start < 5_000) now = encrypt('p', 'payload')
  const hot = askedBy(() => {
    for (let i = 0; i < 10; i++) encrypt('p', 'payload')
  })
  return { changed: createdOf(now) !== createdOf(record), hot, text: decryptString('p', record) }
}

/** Keys live for two seconds: how many wrote in five. */
function rotate(): object {
  setup({ ...config, ExpireAfter: 2, CreateDatePrecision: 1 })
  const created = new Set<number>()
  let record = encrypt('p', 'payload')
  const first = record
  asked.length = 0
  let calls = 0
  for (const start = performance.now(); performance.now() - start < 5_000; calls += 1) {
    record = encrypt('p', 'payload')
    created.add(createdOf(record))
    const age = Date.now() / 1_000 - createdOf(record)
    if (age > 3.5) throw new Error(`a key of ${age} s wrote`)
  }
  return { keys: created.size, asked: asked.length, calls, text: decryptString('p', first) }
}

function death(): object {
  setup(config)
  let code = 'nothing was thrown'
  let number = 0
  try {
    encrypt('p', 'payload')
  } catch (error) {
    code = String(Reflect.get(Object(error), 'code'))
    number = cobhanCode(error)
  }
  const record = encrypt('p', 'payload')
  return { code, number, text: decryptString('p', record) }
}

const scenarios = new Map<string, () => object>([
  ['loop', loop],
  ['existing', existing],
  ['revoke-ik', () => revoke('_IK_')],
  ['revoke-sk', () => revoke('_SK_')],
  ['rotate', rotate],
  ['death', death],
])
process.stdout.write(JSON.stringify(scenarios.get(scenario)?.()))
