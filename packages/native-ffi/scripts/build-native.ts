import { parseArgs } from 'node:util'
import { buildNative, hasCargo, isUpToDate, outputOf } from './native-build.ts'

// Builds the native binary with cargo: for this platform into native/, where it is found by itself, or for another into npm/.
// Usage: pnpm --filter @asherah/native-ffi build:native [--target TRIPLE] [--test-hooks] [--force] [--required]

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    'test-hooks': { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    required: { type: 'boolean', default: false },
  },
})
const request = { ...(values.target === undefined ? {} : { target: values.target }), testHooks: values['test-hooks'] }

if (!values.force && values.target === undefined && isUpToDate(request)) {
  console.log(`${outputOf(request)} is up to date`)
} else if (hasCargo()) {
  console.log(buildNative(request))
} else {
  console.error('cargo is not installed: nothing was built, and @asherah/native-ffi falls back to node:crypto')
  if (values.required) process.exitCode = 1
}
