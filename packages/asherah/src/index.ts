import * as api from './api.ts'

export type { AsherahConfig, AsherahConfig as AsherahConfigCompat } from '@asherah/config'
export type { AsherahErrorCode } from '@asherah/core'
// biome-ignore lint/performance/noReExportAll: api.ts is the explicit list; the default below has to be the same.
export * from './api.ts'
export type { RecordParts } from './cobhan.ts'
export type { EventLogHook, LogEvent, LogHook, LogLevel, MetricsEvent, MetricsHook, NumberedLogHook } from './hooks.ts'

// biome-ignore lint/style/noDefaultExport: the old packages are CommonJS, whose programs also write `import asherah from 'asherah'`.
export { api as default }
