import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binaryName, type PlatformName } from '../src/platform.ts'
import { packageDir, SBOM_FILE } from './native-build.ts'

/** A package.json. */
export type Manifest = Readonly<Record<string, unknown>>

/** @throws when the folder has no package.json that is an object. */
export function readManifest(folder: string): Manifest {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (typeof manifest !== 'object' || manifest === null) throw new Error(`${folder}/package.json is no object`)
  return { ...manifest }
}

export function writeManifest(folder: string, manifest: Manifest): void {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
}

/** The npm name of a platform's package. */
export function packageName(platform: PlatformName): string {
  return `@asherah/native-ffi-${platform}`
}

/** A platform package's package.json: installed on its platform only, with nothing that runs at install. */
export function platformManifest(platform: PlatformName, main: Manifest): Manifest {
  const [os, cpu, abi] = platform.split('-')
  const libc = abi === 'gnu' ? ['glibc'] : abi === 'musl' ? ['musl'] : undefined
  return {
    name: packageName(platform),
    version: main.version,
    description: `The native binary of @asherah/native-ffi for ${platform}.`,
    license: main.license,
    repository: main.repository,
    keywords: main.keywords,
    engines: main.engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc }),
    main: binaryName(platform),
    files: [binaryName(platform), SBOM_FILE],
    publishConfig: { access: 'public' },
  }
}

/** Makes a package of a folder that has the binary and its bill of materials. */
export function writePlatformPackage(folder: string, platform: PlatformName, main: Manifest): void {
  writeManifest(folder, platformManifest(platform, main))
  copyFileSync(join(packageDir, '../../LICENSE'), join(folder, 'LICENSE'))
  writeFileSync(
    join(folder, 'README.md'),
    `# ${packageName(platform)}\n\nThe native binary of [@asherah/native-ffi](https://www.npmjs.com/package/@asherah/native-ffi) for ${platform}.\n` +
      'Install that package, which names this one as an optional dependency, rather than this one.\n\n' +
      `\`${SBOM_FILE}\` is the bill of materials (CycloneDX).\n`,
  )
}
