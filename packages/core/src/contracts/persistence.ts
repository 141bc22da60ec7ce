import type { Call } from './call.ts'

/** The application's own store of records, for `session.load` and `session.store`. */
export interface Persistence<D> {
  /** Null or undefined: nothing there. */
  load(key: string, options?: Call): Promise<D | null | undefined>
  /**
   * Stores a record and returns its key.
   *
   * @param key undefined: the persistence makes one.
   */
  store(key: string | undefined, record: D, options?: Call): Promise<string>
}
