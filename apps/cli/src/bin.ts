#!/usr/bin/env node
import { dropSqliteWarning } from './sqlite-warning.ts'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 13)) {
  process.stderr.write(`asherah: Node.js 22.13 or later is needed, this is ${process.versions.node}\n`)
  process.exitCode = 1
} else {
  dropSqliteWarning()
  // Imported late: older releases of Node lack modules that the program imports.
  import('./main.ts').then(({ main }) => main(process.argv.slice(2), process))
}
