import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  createFactoryFromConfig,
  type LoadPackage,
  readConfigEnvironment,
  readConfigFile,
  readConfigText,
} from '@asherah/config'
import { channels, InvalidConfigError, type Metastore, type WarningEvent } from '@asherah/core'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { afterAll, describe, expect, it } from 'vitest'
import { neededNode } from '../src/node-version.ts'

const HEX = '7365656465644d61737465724b6579546861744e6f626f64795072696e747321'
const config = { serviceName: 'svc', productId: 'prod', metastore: 'memory', kms: 'static', staticMasterKeyHex: HEX }
const folder = mkdtempSync(join(tmpdir(), 'asherah-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const packages: Readonly<Record<string, () => Promise<unknown>>> = {
  '@asherah/kms-static': () => import('@asherah/kms-static'),
  '@asherah/metastore-memory': () => import('@asherah/metastore-memory'),
  '@asherah/metastore-sqlite': () => import('@asherah/metastore-sqlite'),
}
const load: LoadPackage = async (name) => packages[name]?.()

function backendPackages(): { readonly folder: string; readonly engines: string }[] {
  const packagesFolder = new URL('../../', import.meta.url)
  const names = readdirSync(packagesFolder).filter((name) => /^(metastore|kms)-/.test(name))
  return names.map((name) => {
    const manifest = JSON.parse(readFileSync(new URL(`${name}/package.json`, packagesFolder), 'utf8'))
    return { folder: name, engines: String(manifest.engines.node) }
  })
}

async function roundTrip(given: Parameters<typeof createFactoryFromConfig>[0], options = {}): Promise<string> {
  await using made = await createFactoryFromConfig(given, { load, ...options })
  const session = made.factory.getSession('p')
  return Buffer.from(await session.decrypt(await session.encryptToJson(Buffer.from('payload')))).toString()
}

describe('createFactoryFromConfig', () => {
  it('works from an object, JSON text, a file and the environment', async () => {
    const file = join(folder, 'asherah.json')
    writeFileSync(file, `\uFEFF${JSON.stringify({ $schema: './schema.json', ...config })}`)
    const env = {
      SERVICE_NAME: 'svc',
      PRODUCT_ID: 'prod',
      Metastore: 'memory',
      KMS: 'static',
      STATIC_MASTER_KEY_HEX: HEX,
    }
    expect(await roundTrip(config)).toBe('payload')
    expect(await roundTrip(readConfigText(JSON.stringify(config), {}))).toBe('payload')
    expect(await roundTrip(readConfigFile(file, {}))).toBe('payload')
    expect(await roundTrip(readConfigEnvironment(env))).toBe('payload')
  })

  it('keeps keys in an SQLite file', async () => {
    const sqlite = { ...config, metastore: 'sqlite', connectionString: join(folder, 'keys.db') }
    expect(await roundTrip(sqlite)).toBe('payload')
    expect(
      await roundTrip({ ...sqlite, metastore: 'rdbms', connectionString: `sqlite://${join(folder, 'keys.db')}` }),
    ).toBe('payload')
  })

  it('names the package to install', async () => {
    const missing: LoadPackage = async (name) => {
      throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })
    }
    await expect(
      createFactoryFromConfig({ ...config, metastore: 'rdbms', connectionString: 'oracle://h/s' }, { load: missing }),
    ).rejects.toThrow(
      'the package @asherah/kms-static is not installed, which static needs: npm install @asherah/kms-static',
    )
  })

  it('tells a package that is broken or of another version from a missing one', async () => {
    const broken = async (): Promise<unknown> => {
      throw new Error('boom')
    }
    await expect(createFactoryFromConfig(config, { load: broken })).rejects.toThrow(
      'the package @asherah/kms-static cannot be loaded: boom',
    )
    await expect(createFactoryFromConfig(config, { load: async () => ({}) })).rejects.toThrow('has no createStaticKms')
  })

  it('says which Node a package needs, whether npm left it out or it cannot be loaded', async () => {
    const versions = Object.getOwnPropertyDescriptor(process, 'versions')
    const sqlite = { ...config, metastore: 'sqlite', connectionString: 'keys.db' }
    const failures = [
      Object.assign(new Error("Cannot find package '@asherah/metastore-sqlite'"), { code: 'ERR_MODULE_NOT_FOUND' }),
      Object.assign(new Error('No such built-in module: node:sqlite'), { code: 'ERR_UNKNOWN_BUILTIN_MODULE' }),
    ]
    Object.defineProperty(process, 'versions', { configurable: true, value: { ...process.versions, node: '20.19.5' } })
    try {
      for (const cause of failures) {
        const old: LoadPackage = async (name) => {
          if (name !== '@asherah/metastore-sqlite') return load(name)
          throw cause
        }
        await expect(createFactoryFromConfig(sqlite, { load: old })).rejects.toThrow(
          'sqlite needs Node ≥ 22.13, and this is 20.19.5: the package @asherah/metastore-sqlite cannot be loaded here',
        )
      }
    } finally {
      if (versions !== undefined) Object.defineProperty(process, 'versions', versions)
    }
  })

  it('knows the Node that each package of a backend needs', () => {
    for (const { folder: name, engines } of backendPackages()) {
      const needed = /^>=(\d+\.\d+)$/.exec(engines)?.[1]
      expect([name, neededNode(`@asherah/${name}`, '20.19.0')]).toEqual([name, needed])
      expect([name, neededNode(`@asherah/${name}`, '22.13.0')]).toEqual([name, undefined])
      expect([name, neededNode(`@asherah/${name}`, '24.0.0')]).toEqual([name, undefined])
    }
  })

  it.each(['postgres', 'PostgreSQL', 'mysql', 'mariadb', 'mssql', 'sqlserver', 'oracle'])(
    'metastore %s: rdbms is meant',
    async (metastore) => {
      await expect(createFactoryFromConfig({ ...config, metastore }, { load })).rejects.toThrow(
        `: for ${metastore.toLowerCase()}, write rdbms, with the database's URL as ConnectionString`,
      )
    },
  )

  it.each([
    ['tls.serverName must be the name in the certificate', 'TlsServerName must be the name in the certificate'],
    [
      'connectionString turns TLS off, and the option tls turns it on',
      'connectionString turns TLS off, and TlsServerName turns it on',
    ],
  ])('names the key in the place of the option that a backend refuses: %s', async (refusal, shown) => {
    // The words are the backends' own.
    const sources = ['metastore-mysql/src/options.ts', 'sql-shared/src/server-options.ts']
    const texts = sources.map((path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'))
    expect(texts.some((text) => text.includes(refusal))).toBe(true)
    const refusing: LoadPackage = async (name) => {
      if (name !== '@asherah/metastore-mysql') return load(name)
      const createMysqlMetastore = (): never => {
        throw new InvalidConfigError(refusal)
      }
      return { createMysqlMetastore }
    }
    const mysql = { ...config, metastore: 'rdbms', connectionString: 'u@tcp(192.0.2.1)/d' }
    await expect(createFactoryFromConfig(mysql, { load: refusing })).rejects.toThrow(
      `mysql refuses what the config gives it: ${shown}`,
    )
  })

  it('D-111 bad JSON is refused without a word of it', async () => {
    for (const text of ['{"StaticMasterKeyHex":"hunter2"', 'hunter2', '"hunter2"', '{"KMS":"hunter2","KMS":"x"}']) {
      try {
        readConfigText(text, {})
        throw new Error('it was accepted')
      } catch (error) {
        expect(inspect(error)).not.toContain('hunter2')
        expect(error).toHaveProperty('code', 'ERR_ASHERAH_INVALID_CONFIG')
      }
    }
  })

  it('D-045 a name that JSON has twice is refused', () => {
    expect(() => readConfigText('{"RegionMap":{"a":"x","b":"{\\"a\\":1}","a":"y"}}', {})).toThrow('has "a" twice')
    expect(() => readConfigText('{"RegionMap":{"a":"x"},"KMS":"aws","regionMap":{"a":"x"}}', {})).not.toThrow()
  })
})

describe('the drift guard', () => {
  const store = createMemoryMetastore()
  const shared = (metastore: Metastore): LoadPackage => {
    return async (name) =>
      name === '@asherah/metastore-memory'
        ? { createMemoryMetastore: () => ({ ...metastore, close: undefined }) }
        : load(name)
  }
  const guarded = { ...config, enableConfigDriftGuard: true }
  const start = (given: object, metastore: Metastore = store): Promise<string> =>
    roundTrip(given, { load: shared(metastore) })

  it('D-060 lets a second start and a second region in, and refuses another layout', async () => {
    const east: Metastore = { ...store, regionSuffix: 'us-east-1' }
    const west: Metastore = { ...store, regionSuffix: 'us-west-2' }
    const regional = { ...guarded, productId: 'regional' }
    await start(regional, east)
    await start(regional, west)
    await start(regional, east)
    await expect(start(regional, store)).rejects.toThrow('first used with another layout')
    await expect(start({ ...regional, configDriftForceRun: true })).resolves.toBe('payload')
    await expect(start(regional)).rejects.toThrow('ConfigDriftForceRun')
    await expect(start({ ...regional, configDriftForceUpdate: true })).resolves.toBe('payload')
    await expect(start(regional)).resolves.toBe('payload')
    await expect(start(regional, east)).rejects.toThrow('another layout')
  })

  it('D-061 goes on with a warning where the metastore refuses to write', async () => {
    const warnings: string[] = []
    const hear = (message: unknown): void => {
      const { code }: Partial<WarningEvent> = Object(message)
      if (code !== undefined) warnings.push(code)
    }
    subscribe(channels.warning.name, hear)
    const denied: Metastore = {
      ...store,
      store: async (keyId, created, record) => {
        if (keyId.startsWith('_ASHERAH')) throw new Error('AccessDenied')
        return store.store(keyId, created, record)
      },
    }
    await expect(start({ ...guarded, productId: 'denied' }, denied)).resolves.toBe('payload')
    unsubscribe(channels.warning.name, hear)
    expect(warnings).toContain('CONFIG_DRIFT_UNRECORDED')
  })

  it('is off by default: no row is added', async () => {
    const metastore = createMemoryMetastore()
    await start({ ...config, productId: 'off' }, metastore)
    const ids: string[] = []
    for await (const { keyId } of metastore.list()) ids.push(keyId)
    expect(ids.sort()).toEqual(['_IK_p_svc_off', '_SK_svc_off'])
  })
})
