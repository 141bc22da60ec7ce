/** Nanoseconds as people read them. */
export function formatDuration(ns: number): string {
  if (ns < 1_000) return `${ns.toFixed(0)} ns`
  if (ns < 1_000_000) return `${short(ns / 1_000)} µs`
  return `${short(ns / 1_000_000)} ms`
}

/** Bytes, in binary units. */
export function formatBytes(bytes: number): string {
  if (Math.abs(bytes) < 1_024) return `${bytes.toFixed(0)} B`
  if (Math.abs(bytes) < 1_048_576) return `${short(bytes / 1_024)} KiB`
  return `${short(bytes / 1_048_576)} MiB`
}

/** A plain count, in decimal units. */
export function formatCount(count: number): string {
  if (count < 1_000) return short(count)
  return count < 1_000_000 ? `${short(count / 1_000)} K` : `${short(count / 1_000_000)} M`
}

/** At most two decimals, and none that are zeros. */
function short(value: number): string {
  return String(Number(value.toFixed(Math.abs(value) < 100 ? 2 : 0)))
}
