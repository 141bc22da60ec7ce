import { buildConfig } from '../../tooling/tsup.ts'

export default buildConfig(['src/index.ts'], 'node22.13')
