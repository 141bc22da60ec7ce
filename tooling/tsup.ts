import { defineConfig } from 'tsup'

/** What `defineConfig` gives; named here so that a package's config needs no import of tsup. */
export type BuildConfig = ReturnType<typeof defineConfig>

/**
 * The one build preset: ESM, one file per entry plus its declarations, nothing bundled from other packages.
 *
 * @param entry Source files, one per `exports` subpath of the package.
 * @param target The oldest Node release in the package's `engines`.
 */
export function buildConfig(entry: string[], target = 'node20.19'): BuildConfig {
  return defineConfig({
    entry,
    format: 'esm',
    dts: true,
    clean: true,
    sourcemap: true,
    splitting: true,
    // tsup drops `node:` by default, and `node:sqlite` exists under no other name.
    removeNodeProtocol: false,
    target,
    tsconfig: 'tsconfig.json',
  })
}
