import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { binaryName, PLATFORMS } from '../src/platform.ts'
import { packageDir, SBOM_FILE } from './native-build.ts'
import { packageName, readManifest, writeManifest, writePlatformPackage } from './platform-package.ts'

// Makes packages of the folders in npm/, and has this package name them: to run in the release job alone, once each platform's
// `build-native.ts --target` has left its files there, and before this package is packed. In the workspace the names would not
// resolve. Usage: node scripts/release-packages.ts [--dir FOLDER]

const { values } = parseArgs({ options: { dir: { type: 'string', default: packageDir } } })
const { dir } = values
const folderOf = (platform: string): string => join(dir, 'npm', platform)

const wanted = PLATFORMS.flatMap((platform) =>
  [binaryName(platform), SBOM_FILE].map((file) => join(folderOf(platform), file)),
)
const missing = wanted.filter((file) => !existsSync(file))
if (missing.length > 0)
  throw new Error(`missing: ${missing.join(', ')}: run build-native.ts --target for each platform`)

const main = readManifest(dir)
for (const platform of PLATFORMS) writePlatformPackage(folderOf(platform), platform, main)
// Exactly this version: a binary of another one is refused at load.
const optionalDependencies = Object.fromEntries(PLATFORMS.map((platform) => [packageName(platform), main.version]))
writeManifest(dir, { ...main, optionalDependencies })
console.log(
  `${PLATFORMS.length} platform packages of version ${main.version} can be published, then @asherah/native-ffi`,
)
