import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ciTool } from '../lib/ci-tools.ts'
import { run } from '../lib/pnpm.ts'

/** A local npm registry that holds this workspace's packages and passes every other name on. */
export interface Registry {
  readonly url: string
  /** The environment for `npm` commands that use only this registry, with a cache of their own. */
  readonly env: NodeJS.ProcessEnv
  /** Stops the server and waits for its end. */
  close(): Promise<void>
}

const startLimitMs = 60_000

/** The value that this machine's npm has for a key, or undefined. */
function npmSetting(key: string): string | undefined {
  const { stdout } = run('npm', ['config', 'get', key], process.cwd())
  const value = stdout.trim().split('\n').at(-1)
  return value === undefined || ['', 'null', 'undefined'].includes(value) ? undefined : value
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no TCP port')
  return address.port
}

/**
 * Starts verdaccio on a free port of 127.0.0.1, with everything it stores in `folder`.
 *
 * @throws when it does not answer within a minute; the message holds what it printed.
 */
export async function startRegistry(folder: string): Promise<Registry> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  // verdaccio's own `ca` setting does not take a path; Node's does.
  const ca = npmSetting('cafile')
  const own = { access: '$all', publish: '$all', unpublish: '$all' }
  const config = {
    storage: join(folder, 'storage'),
    auth: { htpasswd: { file: join(folder, 'htpasswd') } },
    uplinks: { upstream: { url: npmSetting('registry'), timeout: '60s' } },
    // Our own names are never passed on: what is installed is what was published here.
    packages: { '@asherah/*': own, asherah: own, '**': { access: '$all', proxy: 'upstream' } },
    web: { enable: false },
    max_body_size: '100mb',
    log: { type: 'stdout', format: 'pretty', level: 'warn' },
  }
  const configFile = join(folder, 'verdaccio.yaml')
  writeFileSync(configFile, JSON.stringify(config))
  const npmrc = join(folder, 'npmrc')
  // npm publishes only with a token; this registry takes any.
  writeFileSync(npmrc, `registry=${url}\n//127.0.0.1:${port}/:_authToken=anyone\n`)

  const server = spawn(
    process.execPath,
    [ciTool('verdaccio/bin/verdaccio'), '--config', configFile, '--listen', `127.0.0.1:${port}`],
    {
      cwd: folder,
      env: { ...process.env, ...(ca === undefined ? {} : { NODE_EXTRA_CA_CERTS: ca }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = once(server, 'exit')
  let printed = ''
  server.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  server.stderr.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  const close = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    server.kill()
    await ended
  }
  for (const start = Date.now(); ; await sleep(200)) {
    const answer = await fetch(`${url}-/ping`).catch(() => undefined)
    if (answer?.ok === true) return { url, env: npmEnvironment(folder, npmrc), close }
    if (server.exitCode !== null || Date.now() - start > startLimitMs) {
      await close()
      throw new Error(`the local registry did not start:\n${printed}`)
    }
  }
}

/** This process's environment without the settings that npm or pnpm put there, which would win over the npmrc. */
function npmEnvironment(folder: string, npmrc: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([key]) => !/^(npm|pnpm)_/i.test(key))
  return {
    ...Object.fromEntries(inherited),
    npm_config_userconfig: npmrc,
    npm_config_cache: join(folder, 'npm-cache'),
    npm_config_update_notifier: 'false',
    npm_config_fund: 'false',
    npm_config_audit: 'false',
  }
}
