// Calls every native function, thousands of times, with arguments that no caller should give. Argument: the binary with test hooks.
import { isNativeModule } from '../../src/binding.ts'

// Under AddressSanitizer nothing can be locked.
const allowUnlocked = process.env.TEST_ALLOW_UNLOCKED === '1'

const [path = ''] = process.argv.slice(2)
const holder: { exports: unknown } = { exports: {} }
process.dlopen(holder, path)
const native: unknown = holder.exports
if (!isNativeModule(native)) throw new Error(`${path} is no native module`)

// A linear congruential generator: a failure comes again.
let state = 12_345
const random = (below: number): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  return state % below
}
const detached = new Uint8Array(60)
structuredClone(detached, { transfer: [detached.buffer] })
const window = new Uint8Array(new ArrayBuffer(4_096))
const made = native.createProvider(window, false, allowUnlocked, false)
if (typeof made === 'number') throw new Error(`no provider: ${made}`)
const other = native.createProvider(new Uint8Array(new ArrayBuffer(100)), false, allowUnlocked, false)
if (typeof other === 'number') throw new Error(`no provider: ${other}`)
const closedKey = made.generateKey()
made.closeKey(closedKey)
const key = made.generateKey()
made.setTemplate(key, '","ParentKeyMeta":{"KeyId":"_IK_p_s_p","Created":1}},"Data":"')
other.generateKey()
const foreignKey = other.generateKey()

const values: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => true,
  () => false,
  () => -1,
  () => 0,
  () => 1,
  () => 1.5,
  () => 80,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => 2 ** 31 - 1,
  () => 2 ** 31,
  () => 2 ** 32,
  () => 2 ** 53,
  () => -(2 ** 53),
  () => 1e300,
  () => random(2 ** 31),
  () => 10n,
  () => Symbol('s'),
  () => '',
  () => 'A'.repeat(random(500)),
  () => '\u0141'.repeat(80),
  () => '\ud800',
  () => JSON.stringify({ Key: 'x' }),
  () => ({}),
  () => [1, 2, 3],
  () => () => {},
  () => new Proxy({}, {}),
  () => new Proxy(new Uint8Array(5), {}),
  () => new Date(0),
  () => new Uint8Array(random(300)),
  () => new Uint8Array(60),
  () => new Uint8Array(32),
  () => new Uint8Array(28),
  () => Buffer.alloc(random(70_000)),
  () => detached,
  () => new Uint8Array(new SharedArrayBuffer(40)),
  () => new Uint8Array(new ArrayBuffer(50, { maxByteLength: 100 })),
  () => new Uint8ClampedArray(40),
  () => new Int8Array(40),
  () => new Uint32Array(random(5)),
  () => Uint32Array.of(10, 20, 30),
  () => Uint32Array.of(30, 20, 2 ** 32 - 1),
  () => new Float64Array(4),
  () => new DataView(new ArrayBuffer(10)),
  () => new ArrayBuffer(10),
  () => key,
  () => key,
  () => key,
  () => closedKey,
  () => foreignKey,
  () => key + 1,
  () => key + 2 ** 32,
]

const functions: (readonly [string, (...args: unknown[]) => unknown])[] = []
for (const [name, value] of Object.entries({ ...made, createProvider: native.createProvider, memory: native.memory })) {
  // The hooks break things on purpose, and a closed provider refuses everything.
  if (!['close', 'panicInCall', 'damageCanary', 'damageKey'].includes(name)) {
    functions.push([name, (...args) => Reflect.apply(value, undefined, args)])
  }
}

const codes = new Set<number>()
let calls = 0
let answered = 0
const waiting: Promise<unknown>[] = []
for (let round = 0; round < 60_000; round += 1) {
  const [name, call] = functions[random(functions.length)] ?? ['', () => 0]
  // closeKey of the key that the others need would end the game.
  const args = Array.from({ length: random(9) }, () => values[random(values.length)]?.())
  if (name === 'closeKey' && args[0] === key) continue
  if (name === 'createProvider' && random(20) > 0) continue
  calls += 1
  const result = call(...args)
  if (result instanceof Promise) waiting.push(result)
  else if (typeof result === 'number' && result < 0) codes.add(-result % 32)
  else answered += 1
}
const settled = await Promise.allSettled(waiting)
const payload = Buffer.from('still right')
made.encryptRow(key, payload)
const wrapped = window.slice(0, 60)
const data = window.slice(60, 60 + payload.length + 28)
const length = made.decryptRow(key, wrapped, data)
const right = Buffer.from(window.subarray(0, length)).equals(payload)
console.log(JSON.stringify({ calls, answered, right, async: settled.length, codes: [...codes].sort((a, b) => a - b) }))
