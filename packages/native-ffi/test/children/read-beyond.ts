// Has the native code read behind a buffer. Argument: a binary with test hooks.
const [path = ''] = process.argv.slice(2)
const holder: { exports: unknown } = { exports: {} }
process.dlopen(holder, path)
const read: unknown = Reflect.get(Object(holder.exports), 'readBeyond')
if (typeof read !== 'function') throw new Error('no hook readBeyond')
Reflect.apply(read, undefined, [new Uint8Array(new ArrayBuffer(100_000))])
console.log('nobody noticed')
