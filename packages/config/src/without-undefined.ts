/** An object without the members that are undefined. */
export function withoutUndefined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {}
  for (const [name, value] of Object.entries(options)) if (value !== undefined) Reflect.set(kept, name, value)
  return kept
}
