export {
  decodeBase64,
  decodeBase64Pooled,
  encodeBase64,
} from './base64.ts'
export {
  createDataRowRecord,
  decodeDataRowRecordText,
  parseDataRowRecord,
  serializeDataRowRecord,
} from './data-row-record.ts'
export {
  createDataRowTemplate,
  type DataRowTemplate,
  formatDataRowFromTemplate,
  formatDataRowRecordJson,
  type ScannedDataRow,
  scanDataRowRecord,
} from './data-row-text.ts'
export {
  type AskedKey,
  parseEnvelopeKeyRecord,
  serializeEnvelopeKeyRecord,
  validateEnvelopeKeyRecord,
} from './envelope-key-record.ts'
export { DEFAULT_MAX_PLAINTEXT_BYTES, type RecordLimits } from './record-limits.ts'
