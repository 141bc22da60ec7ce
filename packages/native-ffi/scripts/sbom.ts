import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What `cargo metadata` says of a crate, as far as it is used here. */
interface Crate {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly license: string | null
  readonly repository: string | null
}

interface Metadata {
  readonly packages: readonly Crate[]
  readonly resolve: {
    readonly root: string
    readonly nodes: readonly {
      readonly id: string
      readonly deps: readonly {
        readonly pkg: string
        readonly dep_kinds: readonly { readonly kind: string | null }[]
      }[]
    }[]
  }
}

/**
 * The bill of materials of one target's binary, as CycloneDX JSON: every crate that is linked into it, with its licence and the
 * checksum of Cargo.lock. Crates that only build or test are not in it. The same sources give the same text.
 *
 * @param crateDir The folder of Cargo.toml.
 * @param target Rust's name of the platform.
 * @param component What is shipped: the platform package.
 * @throws when cargo fails.
 */
export function sbomOf(
  crateDir: string,
  target: string,
  component: { readonly name: string; readonly version: string },
): string {
  const { packages, resolve } = metadataOf(crateDir, target)
  const crates = new Map(packages.map((crate) => [crate.id, crate]))
  const linked = new Map<string, string[]>()
  const visit = (id: string): void => {
    if (linked.has(id)) return
    const node = resolve.nodes.find((candidate) => candidate.id === id)
    const deps = (node?.deps ?? []).filter(({ dep_kinds }) => dep_kinds.some(({ kind }) => kind === null))
    linked.set(
      id,
      deps.map(({ pkg }) => pkg),
    )
    for (const { pkg } of deps) visit(pkg)
  }
  visit(resolve.root)

  const main = { type: 'library', 'bom-ref': purlOfPackage(component), ...component, purl: purlOfPackage(component) }
  const refOf = (id: string): string => (id === resolve.root ? main['bom-ref'] : purlOf(crates.get(id)))
  const checksums = checksumsIn(join(crateDir, 'Cargo.lock'))
  const components = [...linked.keys()]
    .filter((id) => id !== resolve.root)
    .map((id) => componentOf(crates.get(id), checksums))
    .sort((a, b) => (a.purl < b.purl ? -1 : 1))
  const dependencies = [...linked]
    .map(([id, deps]) => ({ ref: refOf(id), dependsOn: deps.map(refOf).sort() }))
    .sort((a, b) => (a.ref < b.ref ? -1 : 1))
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { ...main, licenses: [{ expression: 'Apache-2.0' }] } },
    components,
    dependencies,
  }
  return `${JSON.stringify(bom, undefined, 2)}\n`
}

function metadataOf(cwd: string, target: string): Metadata {
  const args = ['metadata', '--locked', '--format-version=1', '--filter-platform', target]
  const { status, stdout, stderr } = spawnSync('cargo', args, { cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} failed: ${stderr}`)
  return JSON.parse(stdout)
}

function componentOf(crate: Crate | undefined, checksums: ReadonlyMap<string, string>) {
  if (crate === undefined) throw new Error('cargo names a crate that it does not describe')
  const { name, version, license, repository } = crate
  const checksum = checksums.get(`${name}@${version}`)
  return {
    type: 'library',
    'bom-ref': purlOf(crate),
    name,
    version,
    ...(checksum === undefined ? {} : { hashes: [{ alg: 'SHA-256', content: checksum }] }),
    // Some crates still write the older form of SPDX.
    ...(license === null ? {} : { licenses: [{ expression: license.replaceAll('/', ' OR ') }] }),
    purl: purlOf(crate),
    ...(repository === null ? {} : { externalReferences: [{ type: 'vcs', url: repository }] }),
  }
}

function purlOf(crate: Crate | undefined): string {
  return `pkg:cargo/${crate?.name}@${crate?.version}`
}

function purlOfPackage({ name, version }: { readonly name: string; readonly version: string }): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

/** `name@version` to SHA-256. */
function checksumsIn(lockFile: string): Map<string, string> {
  const entry = /name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"/g
  const text = readFileSync(lockFile, 'utf8').replaceAll('\r\n', '\n')
  return new Map([...text.matchAll(entry)].map(([, name, version, sum = '']) => [`${name}@${version}`, sum]))
}
