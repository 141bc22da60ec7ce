import { parseArgs } from 'node:util'
import { buildForRelease, buildNative, hasCargo, isUpToDate, outputOf } from './native-build.ts'

// Builds the native binary with cargo: for this platform into native/, where it is found by itself; with --target, for a
// platform package, into npm/. Usage: pnpm --filter @asherah/native-ffi build:native [--target TRIPLE] [--force] [--required]

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    force: { type: 'boolean', default: false },
    required: { type: 'boolean', default: false },
  },
})

if (!hasCargo()) {
  console.error('cargo is not installed: nothing was built, and @asherah/native-ffi falls back to node:crypto')
  if (values.required) process.exitCode = 1
} else if (values.target !== undefined) {
  console.log(buildForRelease(values.target))
} else if (!values.force && isUpToDate()) {
  console.log(`${outputOf()} is up to date`)
} else {
  console.log(buildNative())
}
