// Loads a copy of the package and says what it does. Arguments: the module's path; `import`, a mode, or `path:FILE`.
import { subscribe } from 'node:diagnostics_channel'
import { pathToFileURL } from 'node:url'
import { isNativeLoaded } from '../support/loaded.ts'

const [module = '', what = ''] = process.argv.slice(2)
const warnings: unknown[] = []
subscribe('asherah:warning', (message) => warnings.push(message))
const { createNativeCrypto, nativeStatus } = await import(pathToFileURL(module).href)

function report(): object {
  if (what === 'import') return {}
  const options = what.startsWith('path:') ? { path: what.slice(5) } : { mode: what }
  try {
    const crypto = createNativeCrypto(options)
    const again = createNativeCrypto(options)
    const key = crypto.generateKey()
    const { encryptedKey, data } = crypto.encryptRow(key, Buffer.from('payload'))
    const works = Buffer.from(crypto.decryptRow(key, encryptedKey, data)).toString() === 'payload'
    const kinds = { kind: crypto.kind, again: again.kind, works }
    crypto.close()
    again.close()
    const status = what === 'off' ? undefined : nativeStatus(options.path === undefined ? {} : { path: options.path })
    return { ...kinds, status }
  } catch (error) {
    return error instanceof Error ? { code: Reflect.get(error, 'code'), message: error.message } : { error }
  }
}

const result = report()
console.log(JSON.stringify({ ...result, mapped: isNativeLoaded(), warnings }))
