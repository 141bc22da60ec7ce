// Uses the package where sodium-native has no binary, and prints what each call says.
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'sodium-native') throw new Error("Cannot find addon '.' imported from sodium-native")
    return next(specifier, context)
  },
})

const secureMemory = await import('@asherah/secure-memory')

function outcome(call: () => unknown): unknown {
  try {
    call()
    return 'no error'
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    return { code: error.code, message: error.message, cause: error.cause instanceof Error }
  }
}

const { ok, findings } = secureMemory.secureMemoryReport()
console.log(
  JSON.stringify({
    protected: outcome(() => secureMemory.createProtectedMemory()),
    enclave: outcome(() => secureMemory.createEnclaveMemory({ allowUnlocked: true })),
    stream: outcome(() => secureMemory.createSecretStream()),
    purge: outcome(() => secureMemory.purge()),
    exitHandlers: outcome(() => secureMemory.installExitHandlers()()),
    report: { ok, failed: findings.filter(({ level }) => level === 'fail').map(({ check }) => check) },
  }),
)
