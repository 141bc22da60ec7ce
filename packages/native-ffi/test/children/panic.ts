// Panics in native code, and goes on. Argument: the binary with test hooks.

import { isNativeModule } from '../../src/binding.ts'
import { createNativeCrypto } from '../../src/index.ts'
import { faultError } from '../../src/native-faults.ts'

const [path = ''] = process.argv.slice(2)
const holder: { exports: unknown } = { exports: {} }
process.dlopen(holder, path)
const native: unknown = holder.exports
if (!isNativeModule(native)) throw new Error(`${path} is no native module`)
const hook = (target: object, name: string, ...args: unknown[]): number => {
  const value: unknown = Reflect.get(target, name)
  if (typeof value !== 'function') throw new Error(`no hook ${name}`)
  return Number(Reflect.apply(value, undefined, args))
}
const made = native.createProvider(new Uint8Array(new ArrayBuffer(4_096)), false, false, false)
if (typeof made === 'number') throw new Error(`no provider: ${made}`)
const key = made.generateKey()

const message = 'a panic message with a secret in it'
const panics = [hook(native, 'panicNow', message), hook(made, 'panicInCall')]
const { code, message: shown } = faultError(native, panics[1] ?? 0)
const goesOn = typeof made.generateKey() === 'number' && made.closeKey(key) === 0

const damaged = made.generateKey()
hook(made, 'damageKey', damaged)
const damage = made.encryptRow(damaged, new Uint8Array(5))
hook(made, 'damageCanary')
const intact = native.memory().intact
const close = made.close()

// The same process, by the front door.
const crypto = createNativeCrypto({ mode: 'required', path })
const front = crypto.encryptRow(crypto.generateKey(), new Uint8Array(5)).data.byteLength
console.log(JSON.stringify({ panics, code, shown, goesOn, damage, intact, close, front }))
try {
  throw faultError(native, panics[0] ?? 0)
} catch {
  process.exitCode = 3
}
