import { buildConfig } from '../../tooling/tsup.ts'

export default buildConfig(['src/bin.ts'], 'node22.13')
