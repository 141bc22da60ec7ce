// A child process: hostile options and rows. It prints what each did; it must live to print it.
import { AsherahError, SessionFactory } from '../../src/index.ts'
import { bytesOf, createFakeKms, createFakeMetastore, createPeer, createWorld, parentOf } from '../fakes.ts'

const outcomes: string[] = []
function note(error: unknown): void {
  outcomes.push(error instanceof AsherahError ? error.code : `untyped: ${String(error)}`)
}

const huge = 'x'.repeat(2 ** 24)
const deep: unknown = JSON.parse('['.repeat(5_000) + ']'.repeat(5_000))
const revoked = Proxy.revocable({}, {})
revoked.revoke()
const throwing = new Proxy(
  {},
  {
    get() {
      throw new Error('no')
    },
    getOwnPropertyDescriptor() {
      throw new Error('no')
    },
    ownKeys: () => [],
  },
)
const circular: unknown[] = []
circular.push(circular)
const values: unknown[] = [
  undefined,
  null,
  0,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  1n,
  true,
  '',
  'a\u00e9a',
  '\ud800',
  huge,
  Symbol('x'),
  () => {},
  [],
  deep,
  circular,
  {},
  new Map(),
  new Date(Number.NaN),
  new Uint8Array(3),
  new Error('x'),
]

/** What throws as soon as it is looked at: as input and as rows. (An option that throws is the program's own failure.) */
const unreadable: unknown[] = [throwing, revoked.proxy]

function options(): Record<string, unknown> {
  return { service: 's', product: 'p', metastore: createFakeMetastore(), kms: createFakeKms() }
}

async function hostileOptions(): Promise<void> {
  const names = [
    'service',
    'product',
    'metastore',
    'kms',
    'policy',
    'crypto',
    'secrets',
    'clock',
    'strictIds',
    'recoveryRegionSuffixes',
    'selfHealRecoveredKeys',
    'uniformErrors',
    'maxPlaintextBytes',
    'randomPool',
    'unknown',
  ]
  for (const name of names) {
    for (const value of values) {
      try {
        const factory: SessionFactory = Reflect.construct(SessionFactory, [{ ...options(), [name]: value }])
        const session = factory.getSession('p')
        await session.decrypt(await session.encrypt(bytesOf('x')))
        await factory.close()
        outcomes.push('works')
      } catch (error) {
        note(error)
      }
    }
  }
  for (const value of values) {
    try {
      Reflect.construct(SessionFactory, [value])
      outcomes.push('works')
    } catch (error) {
      note(error)
    }
  }
}

async function hostileRows(): Promise<void> {
  const world = createWorld()
  const record = await world.factory.getSession('p').encrypt(bytesOf('x'))
  const [ik] = world.rows.of(parentOf(record).keyId)
  if (ik === undefined) throw new Error('there is no key')
  const fields = ['keyId', 'created', 'encryptedKey', 'revoked', 'parentKeyMeta']
  const all = [...values, ...unreadable]
  const rows = [...all, ...fields.flatMap((field) => all.map((value) => ({ ...ik, [field]: value })))]
  for (const row of rows) {
    const peer = createPeer(world)
    const { load, loadLatest } = peer.metastore
    const name: string = 'row'
    const given = Reflect.get({ row }, name)
    peer.metastore.load = async (keyId, created, call) => (keyId === ik.keyId ? given : load(keyId, created, call))
    peer.metastore.loadLatest = async (keyId, call) => (keyId === ik.keyId ? given : loadLatest(keyId, call))
    for (const call of [
      () => peer.factory.getSession('p').decrypt(record),
      () => peer.factory.getSession('p').encrypt(bytesOf('x')),
    ]) {
      try {
        await call()
        outcomes.push('works')
      } catch (error) {
        note(error)
      }
    }
    await peer.factory.close()
  }
}

async function hostileCalls(): Promise<void> {
  const { factory } = createWorld()
  const session = factory.getSession('p')
  await session.encrypt(bytesOf('x'))
  const target: object = session
  for (const method of ['encrypt', 'encryptToJson', 'decrypt', 'load', 'store']) {
    const inputs = [...values, ...unreadable].map((value) => [value])
    const others = values.flatMap((value) => [
      [value, value],
      ['k', value],
      [bytesOf('x'), value],
      ['k', bytesOf('x'), value],
    ])
    for (const given of [...inputs, ...others]) {
      try {
        await Reflect.apply(Reflect.get(target, method), session, given)
        outcomes.push('works')
      } catch (error) {
        note(error)
      }
    }
  }
  for (const value of values) {
    try {
      Reflect.apply(factory.getSession, factory, [value])
      outcomes.push('works')
    } catch (error) {
      note(error)
    }
  }
}

async function main(): Promise<void> {
  await hostileOptions()
  await hostileRows()
  await hostileCalls()
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  console.log(JSON.stringify(counts))
  // A caught error, and its exit code.
  try {
    Reflect.construct(SessionFactory, [{ ...options(), service: 'a\ud800' }])
  } catch (error) {
    process.exitCode = error instanceof AsherahError ? 3 : 4
  }
}

void main()
