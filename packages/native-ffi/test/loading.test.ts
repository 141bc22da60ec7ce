import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageDir } from '../scripts/native-build.ts'
import { binaryName, platformName } from '../src/platform.ts'
import { nativeBinary } from './support/native-build.ts'
import { resultOf, runChild } from './support/run-child.ts'

const binary = nativeBinary()
const platform = platformName()
const scratch = mkdtempSync(join(tmpdir(), 'asherah-native-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** A copy of this package as it is installed: other version, no build, a platform package if one is given. */
function installedCopy(name: string, version: string, platformPackage?: { readonly version: string }): string {
  const dir = join(scratch, name)
  mkdirSync(dir)
  cpSync(join(packageDir, 'src'), join(dir, 'src'), { recursive: true })
  const manifest: unknown = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'))
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ ...Object(manifest), version }))
  mkdirSync(join(dir, 'node_modules/@asherah'), { recursive: true })
  symlinkSync(join(packageDir, 'node_modules/@asherah/core'), join(dir, 'node_modules/@asherah/core'))
  if (platformPackage !== undefined && binary !== undefined) {
    const folder = join(dir, `node_modules/@asherah/native-ffi-${platform}`)
    mkdirSync(folder)
    const { version: its } = platformPackage
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: `@asherah/native-ffi-${platform}`, version: its }),
    )
    copyFileSync(binary, join(folder, binaryName(platform)))
  }
  return dir
}

/** Loads the package of a folder in a child: what it says of itself, and the warnings. */
function load(folder: string, mode: string, env: Readonly<Record<string, string>> = {}): unknown {
  return resultOf(runChild('load.ts', { args: [join(folder, 'src/index.ts'), mode], env }))
}

describe('where nothing can be loaded (D-123)', () => {
  let bare: string
  beforeAll(() => {
    bare = installedCopy('bare', '0.0.0')
  })

  test('auto falls back to node:crypto, works, and says once why and how to get it', () => {
    const result = load(bare, 'auto')
    expect(result).toMatchObject({ kind: 'node:crypto', again: 'node:crypto', works: true, mapped: false })
    expect(result).toMatchObject({ warnings: [{ code: 'NATIVE_UNAVAILABLE' }] })
    const message = JSON.stringify(result)
    expect(message).toContain(`workspace build ${join(bare, 'native', binaryName(platform))}: there is no such file`)
    expect(message).toContain(`platform package @asherah/native-ffi-${platform}: it is not installed`)
    expect(message).toContain(`Install the optional package @asherah/native-ffi-${platform}, or build it`)
  })

  test('required throws, naming each place that was tried', () => {
    const result = load(bare, 'required')
    expect(result).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG', warnings: [] })
    expect(JSON.stringify(result)).toMatch(/workspace build .*; platform package /)
  })

  test('off is silent', () => {
    expect(load(bare, 'off')).toMatchObject({ kind: 'node:crypto', works: true, warnings: [] })
  })

  test.each([
    ['a file that is not there', () => join(scratch, 'none.node'), 'there is no such file'],
    ['a file that is no library', () => join(packageDir, 'package.json'), 'it cannot be loaded: '],
    ['a folder', () => packageDir, 'it cannot be loaded: '],
  ])('%s, as ASHERAH_NATIVE_PATH, is not passed over', (_, path, problem) => {
    const result = load(bare, 'auto', { ASHERAH_NATIVE_PATH: path() })
    expect(result).toMatchObject({ kind: 'node:crypto', works: true, warnings: [{ code: 'NATIVE_UNAVAILABLE' }] })
    expect(JSON.stringify(result)).toContain(`ASHERAH_NATIVE_PATH ${path()}: ${problem}`)
    expect(JSON.stringify(result)).not.toContain('platform package @asherah')
  })
})

describe.skipIf(binary === undefined)('where a binary is', () => {
  test('nothing is loaded at import, nor by off', () => {
    expect(load(packageDir, 'import')).toMatchObject({ mapped: false, warnings: [] })
    expect(load(packageDir, 'off')).toMatchObject({ mapped: false, warnings: [] })
  })

  test('the workspace build is found', () => {
    const result = load(packageDir, 'auto')
    expect(result).toMatchObject({ kind: 'native-ffi', again: 'native-ffi', works: true, mapped: true, warnings: [] })
    expect(result).toMatchObject({
      status: { available: true, source: 'workspace build', path: binary, version: '0.0.0' },
    })
  })

  test('the platform package is found', () => {
    const result = load(installedCopy('with-package', '0.0.0', { version: '0.0.0' }), 'auto')
    expect(result).toMatchObject({ kind: 'native-ffi', works: true, warnings: [] })
    expect(result).toMatchObject({ status: { source: 'platform package', available: true } })
  })

  test('option path comes before ASHERAH_NATIVE_PATH, and both before the rest', () => {
    const result = load(packageDir, `path:${binary}`, { ASHERAH_NATIVE_PATH: '/no/such/file' })
    expect(result).toMatchObject({ kind: 'native-ffi', status: { source: 'option path' } })
    const other = load(installedCopy('elsewhere', '0.0.0'), 'required', { ASHERAH_NATIVE_PATH: binary ?? '' })
    expect(other).toMatchObject({ kind: 'native-ffi', status: { source: 'ASHERAH_NATIVE_PATH' } })
  })

  test('a binary of another version is not used (D-124)', () => {
    const newer = installedCopy('newer', '9.9.9', { version: '0.0.0' })
    expect(JSON.stringify(load(newer, 'auto'))).toContain("its version is 0.0.0, and this package's is 9.9.9")
    // The manifest may claim the right version: the binary has its own.
    const claimed = installedCopy('claimed', '9.9.9', { version: '9.9.9' })
    const result = load(claimed, 'required')
    expect(result).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG' })
    expect(JSON.stringify(result)).toContain("its version is 0.0.0, and this package's is 9.9.9")
  })
})
