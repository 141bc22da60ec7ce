/** Whether the native code of any place is in this process. */
export function isNativeLoaded(): boolean {
  const report: unknown = process.report.getReport()
  const objects: unknown = typeof report === 'object' && report !== null && Reflect.get(report, 'sharedObjects')
  return Array.isArray(objects) && objects.some((path) => String(path).includes('asherah-native.'))
}
