import { randomBytes } from 'node:crypto'
import { type Running, type Service, startService } from './service.ts'

/** An Oracle Database that tests may use. */
export interface OracleServer {
  readonly user: string
  readonly password: string
  /** Easy Connect. */
  readonly connectString: string
}

const PORT = 1_521
const IMAGE = 'gvenzl/oracle-free:23-slim-faststart'

/**
 * Oracle Database: `ASHERAH_TEST_ORACLE_URL` (`oracle://user:password@host:port/service`) or a container. There is no
 * stand-in: without them, only the driver-level tests of the package run.
 */
export function startOracle(): Promise<Service<OracleServer>> {
  return startService({
    name: 'Oracle Database',
    variable: 'ASHERAH_TEST_ORACLE_URL',
    fromVariable(value) {
      const { host, username, password, pathname } = new URL(value)
      return {
        user: decodeURIComponent(username),
        password: decodeURIComponent(password),
        connectString: `tcp://${host}${pathname}`,
      }
    },
    startContainer,
    needsContainer: true,
  })
}

async function startContainer(): Promise<Running<OracleServer>> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const [user, password] = ['asherah', `a${randomBytes(12).toString('hex')}`]
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ ORACLE_RANDOM_PASSWORD: 'yes', APP_USER: user, APP_USER_PASSWORD: password })
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forLogMessage(/DATABASE IS READY TO USE!/))
    .withStartupTimeout(300_000)
    .start()
  const connectString = `tcp://${container.getHost()}:${container.getMappedPort(PORT)}/FREEPDB1`
  return { details: { user, password, connectString }, stop: async () => void (await container.stop()) }
}
