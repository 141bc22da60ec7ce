import { readFileSync } from 'node:fs'

/** True for a JSON object: neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads a JSON file whose top level is an object. @throws when it is not. */
export function readJsonObject(path: string): Record<string, unknown> {
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (!isRecord(value)) throw new Error(`${path}: the top level is not an object`)
  return value
}

/** The object under `key`, or an empty one. */
export function recordAt(value: Record<string, unknown>, key: string): Record<string, unknown> {
  const found = value[key]
  return isRecord(found) ? found : {}
}
