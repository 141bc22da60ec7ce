import * as api from './api.ts'

// biome-ignore lint/performance/noReExportAll: api.ts is the explicit list; the default below has to be the same.
export * from './api.ts'

const asherah: typeof api = { ...api }

// biome-ignore lint/style/noDefaultExport: the old packages are CommonJS, whose programs also write `import asherah from 'asherah'`.
export default asherah
