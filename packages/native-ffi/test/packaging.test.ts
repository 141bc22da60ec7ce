import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageDir, SBOM_FILE, TARGETS } from '../scripts/native-build.ts'
import { packageName, platformManifest, readManifest, writePlatformPackage } from '../scripts/platform-package.ts'
import { sbomOf } from '../scripts/sbom.ts'
import { binaryName, PLATFORMS, platformName } from '../src/platform.ts'
import { nativeBinary } from './support/native-build.ts'
import { resultOf, runChild } from './support/run-child.ts'

const scratch = mkdtempSync(join(tmpdir(), 'asherah-packages-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const main = readManifest(packageDir)

describe('platform packages', () => {
  test('each is of a platform that Rust has a target for', () => {
    expect(Object.values(TARGETS).sort()).toEqual([...PLATFORMS].sort())
  })

  test.each([
    ['linux-x64-gnu', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] }],
    ['linux-arm64-musl', { os: ['linux'], cpu: ['arm64'], libc: ['musl'] }],
    ['darwin-arm64', { os: ['darwin'], cpu: ['arm64'] }],
    ['win32-x64-msvc', { os: ['win32'], cpu: ['x64'] }],
  ] as const)('that of %s installs there and nowhere else (D-123)', (platform, fields) => {
    const { os, cpu, libc, files } = platformManifest(platform, main)
    expect({ os, cpu, ...(libc === undefined ? {} : { libc }) }).toEqual(fields)
    expect(files).toEqual([`asherah-native.${platform}.node`, 'sbom.cdx.json'])
  })

  test('nothing runs at install, and the workspace names no package that it does not have', () => {
    for (const manifest of [main, ...PLATFORMS.map((platform) => platformManifest(platform, main))]) {
      const hooks = Object.keys(Object(manifest.scripts)).filter((name) => /install|prepare|prepublish/.test(name))
      expect(hooks).toEqual([])
    }
    expect(main).not.toHaveProperty('optionalDependencies')
  })

  test('a release has every platform, and one version everywhere (D-124)', () => {
    const dir = join(scratch, 'release')
    mkdirSync(dir)
    writeFileSync(join(dir, 'package.json'), JSON.stringify({ ...main, version: '1.2.3' }))
    const script = join(packageDir, 'scripts/release-packages.ts')
    const release = () => spawnSync(process.execPath, ['--no-warnings', script, '--dir', dir], { encoding: 'utf8' })
    for (const platform of PLATFORMS) {
      mkdirSync(join(dir, 'npm', platform), { recursive: true })
      for (const file of [binaryName(platform), SBOM_FILE]) writeFileSync(join(dir, 'npm', platform, file), 'content')
    }
    const sbom = join(dir, 'npm/darwin-arm64', SBOM_FILE)
    rmSync(sbom)
    expect(release()).toMatchObject({ status: 1, stderr: expect.stringContaining(`missing: ${sbom}: run `) })
    writeFileSync(sbom, 'content')
    expect(release()).toMatchObject({ status: 0 })

    const expected = Object.fromEntries(PLATFORMS.map((platform) => [`@asherah/native-ffi-${platform}`, '1.2.3']))
    expect(readManifest(dir)).toMatchObject({ version: '1.2.3', optionalDependencies: expected })
    for (const platform of PLATFORMS) {
      const folder = join(dir, 'npm', platform)
      expect(readManifest(folder)).toEqual(platformManifest(platform, { ...main, version: '1.2.3' }))
      for (const file of ['README.md', 'LICENSE']) expect(existsSync(join(folder, file))).toBe(true)
    }
  })
})

const binary = nativeBinary()

describe.skipIf(binary === undefined)('the bill of materials', () => {
  const sbom = (target: string): Record<string, unknown> =>
    JSON.parse(sbomOf(join(packageDir, 'crate'), target, { name: '@asherah/x', version: '1.2.3' }))
  const namesIn = (bom: Record<string, unknown>): string[] => {
    const components: unknown[] = Array.isArray(bom.components) ? bom.components : []
    return components.map((component) => String(Object(component).name))
  }

  test('names what is linked into the binary of its target, with licences and checksums, and nothing else', () => {
    const bom = sbom('x86_64-unknown-linux-gnu')
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 })
    expect(namesIn(bom)).toEqual(expect.arrayContaining(['aws-lc-sys', 'base64-simd', 'getrandom', 'libc', 'napi-sys']))
    for (const other of ['proptest', 'cc', 'cmake', 'windows-sys']) expect(namesIn(bom)).not.toContain(other)
    expect(namesIn(sbom('x86_64-pc-windows-msvc'))).toContain('windows-sys')
    for (const component of Array.isArray(bom.components) ? bom.components : []) {
      expect(component).toMatchObject({
        purl: expect.stringMatching(/^pkg:cargo\/[a-z0-9_-]+@\d/),
        licenses: [{ expression: expect.stringMatching(/^[\w.() -]+$/) }],
        hashes: [{ alg: 'SHA-256', content: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      })
    }
  })

  test('is the same text each time', () => {
    expect(sbom('aarch64-apple-darwin')).toEqual(sbom('aarch64-apple-darwin'))
  })
})

describe.skipIf(binary === undefined)('installed by npm from tarballs, with nothing from a registry', () => {
  const platform = platformName()
  let tarballs: { readonly core: string; readonly main: string }

  const npm = (cwd: string, ...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync('npm', args, {
      cwd,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    })
    if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${stdout}${stderr}`)
    return stdout
  }
  const pack = (folder: string): string => join(folder, npm(folder, 'pack', '--silent').trim().split('\n').at(-1) ?? '')

  /** A package as it is published: built, its `publishConfig` applied. */
  const packBuilt = (source: string, name: string, entries: readonly string[], more: object): string => {
    const folder = join(scratch, name)
    mkdirSync(folder)
    const { scripts: _, devDependencies: _dev, ...manifest } = readManifest(source)
    const { exports } = Object(manifest.publishConfig)
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, exports, ...more }))
    const tsup = join(packageDir, '../../node_modules/tsup/dist/cli-default.js')
    const options = ['--format', 'esm', '--no-config', '--no-dts', '--out-dir', join(folder, 'dist'), '--silent']
    const built = spawnSync(process.execPath, [tsup, ...entries, ...options, '--target', 'node20'], { cwd: source })
    if (built.status !== 0) throw new Error(`${name} cannot be built: ${built.stderr}`)
    return pack(folder)
  }
  const packPlatform = (version: string): string => {
    const folder = join(scratch, `platform-${version}`)
    mkdirSync(folder)
    cpSync(binary ?? '', join(folder, binaryName(platform)))
    writeFileSync(join(folder, SBOM_FILE), '{}')
    writePlatformPackage(folder, platform, { ...main, version })
    return pack(folder)
  }
  const install = (name: string, ...files: string[]): string => {
    const folder = join(scratch, name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
    npm(folder, 'install', '--offline', '--no-audit', '--no-fund', '--omit=peer', ...files)
    return folder
  }

  const loadInstalled = (folder: string, mode: string): unknown =>
    resultOf(runChild('load.ts', { args: [join(folder, 'node_modules/@asherah/native-ffi/dist/index.js'), mode] }))

  beforeAll(() => {
    const version = String(main.version)
    const core = packBuilt(join(packageDir, '../core'), 'core', ['src/index.ts', 'src/backend.ts'], {})
    tarballs = {
      core,
      main: packBuilt(packageDir, 'main', ['src/index.ts'], {
        dependencies: { '@asherah/core': version },
        optionalDependencies: Object.fromEntries(PLATFORMS.map((name) => [packageName(name), version])),
      }),
    }
  }, 120_000)

  test('the platform package is found and works, and brings the bill of materials', () => {
    const folder = install('good', tarballs.core, tarballs.main, packPlatform(String(main.version)))
    expect(loadInstalled(folder, 'required')).toMatchObject({
      kind: 'native-ffi',
      works: true,
      status: { source: 'platform package', available: true, version: main.version },
    })
    expect(existsSync(join(folder, 'node_modules', packageName(platform), SBOM_FILE))).toBe(true)
  }, 120_000)

  test('one of another version is not used: auto says so and falls back, required throws (D-124)', () => {
    const folder = install('other-version', tarballs.core, tarballs.main, packPlatform('99.0.0'))
    const problem = `its version is 99.0.0, and this package's is ${main.version}`
    const auto = loadInstalled(folder, 'auto')
    expect(auto).toMatchObject({ kind: 'node:crypto', works: true, warnings: [{ code: 'NATIVE_UNAVAILABLE' }] })
    expect(JSON.stringify(auto)).toContain(problem)
    const required = loadInstalled(folder, 'required')
    expect(required).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG' })
    expect(JSON.stringify(required)).toContain(problem)
  }, 120_000)

  test('without optional dependencies core’s own crypto is used (D-123)', () => {
    const folder = install('bare', tarballs.core, tarballs.main)
    expect(loadInstalled(folder, 'auto')).toMatchObject({ kind: 'node:crypto', works: true })
  }, 120_000)
})
