import { join } from 'node:path'
import { pnpm } from './pnpm.ts'
import { workspaceRoot } from './workspace.ts'

const ciToolsDir = join(workspaceRoot, 'tooling/ci-tools')

/** The Node releases that the unit tests run on, by major version: the oldest that `engines` allows, and the newest. */
export const nodeMajors = ['20', '22', '24', '26'] as const

/** One of {@link nodeMajors}. */
export type NodeMajor = (typeof nodeMajors)[number]

/** Installs tooling/ci-tools from its lockfile: quick when it is there already. @throws with pnpm's output. */
export function installCiTools(): void {
  pnpm(['install', '--frozen-lockfile', '--prefer-offline'], ciToolsDir)
}

/** A file of a package of tooling/ci-tools. */
export function ciTool(path: string): string {
  return join(ciToolsDir, 'node_modules', path)
}

/** The binary of a Node release; 24 is the workspace's own. */
export function nodeBinary(major: NodeMajor): string {
  const file = process.platform === 'win32' ? 'node.exe' : 'node'
  return major === '24'
    ? join(workspaceRoot, 'node_modules/node/bin', file)
    : ciTool(join(`node-${major}`, 'bin', file))
}
