/** What the tests use of dynalite, which brings no types. */
declare module 'dynalite' {
  import type { Server } from 'node:http'

  const dynalite: (options: { readonly createTableMs: number; readonly deleteTableMs: number }) => Server
  export = dynalite
}
