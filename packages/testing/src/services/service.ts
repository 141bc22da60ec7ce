/** A service that was started, or was there already. */
export interface Running<T> {
  /** How to reach it. */
  readonly details: T
  /** Ends what was started; nothing where the service was there already. */
  stop(): Promise<void>
}

/** The ways to come by one service, in the order in which {@link startService} tries them. */
export interface ServiceDefinition<T> {
  /** For messages: `PostgreSQL`. */
  readonly name: string
  /** The environment variable with the address of one that runs already: `ASHERAH_TEST_POSTGRES_URL`. */
  readonly variable: string
  fromVariable(value: string): T
  /** Called where a container runtime answers. */
  startContainer?(): Promise<Running<T>>
  /**
   * Starts a local program.
   *
   * @throws ServiceUnavailableError when the program is not on this machine and cannot be had.
   */
  startLocal?(): Promise<Running<T>>
  /** No program of this service can be had without a container: its absence is a loud skip, even where CI wants all. */
  readonly needsContainer?: boolean
}

/** Thrown by a launcher when this machine lacks what it needs; the message says what, and how to get it. */
export class ServiceUnavailableError extends Error {
  override readonly name = 'ServiceUnavailableError'
}

/** What {@link startService} gives: the service, or why there is none. */
export type Service<T> =
  | (Running<T> & { readonly available: true; readonly origin: 'variable' | 'container' | 'local' })
  | { readonly available: false; readonly reason: string; stop(): Promise<void> }

/**
 * Finds or starts a service: the environment variable, then testcontainers where a container runtime answers, then the
 * local program.
 *
 * @returns A service, or the reason for a loud skip.
 * @throws Error instead of that, where `ASHERAH_TEST_REQUIRE` is `all`, as CI sets it; and whenever a service that
 * should start does not.
 */
export async function startService<T>(definition: ServiceDefinition<T>): Promise<Service<T>> {
  const { name, variable } = definition
  const address = process.env[variable]
  if (address !== undefined && address !== '') {
    return { available: true, origin: 'variable', details: definition.fromVariable(address), stop: async () => {} }
  }
  if (definition.startContainer !== undefined && (await hasContainerRuntime())) {
    return { available: true, origin: 'container', ...(await definition.startContainer()) }
  }
  let missing = `no container runtime answers`
  if (definition.startLocal !== undefined) {
    try {
      return { available: true, origin: 'local', ...(await definition.startLocal()) }
    } catch (error) {
      if (!(error instanceof ServiceUnavailableError)) throw error
      missing = error.message
    }
  }
  const reason = `needs ${name}: ${missing}; or set ${variable} to the address of one that runs`
  if (process.env.ASHERAH_TEST_REQUIRE === 'all' && definition.needsContainer !== true) throw new Error(reason)
  return { available: false, reason, stop: async () => {} }
}

let runtime: Promise<boolean> | undefined

/** Whether testcontainers finds Docker or the like; asked once. */
function hasContainerRuntime(): Promise<boolean> {
  runtime ??= probeContainerRuntime()
  return runtime
}

async function probeContainerRuntime(): Promise<boolean> {
  const [major = 0] = process.versions.node.split('.').map(Number)
  // testcontainers 12 cannot be imported there.
  if (major < 22) return false
  try {
    const { getContainerRuntimeClient } = await import('testcontainers')
    await getContainerRuntimeClient()
    return true
  } catch {
    return false
  }
}
