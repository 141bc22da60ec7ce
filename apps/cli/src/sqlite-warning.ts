/** Drops the one warning that Node prints because `node:sqlite` is in use; every other one is printed as usual. */
export function dropSqliteWarning(): void {
  const printers = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && warning.message.includes('SQLite')) return
    for (const print of printers) print(warning)
  })
}
