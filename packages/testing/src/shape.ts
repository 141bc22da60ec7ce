/** A test of an unknown value: undefined when it fits, else the path of what does not, and what was expected there. */
export interface Shape<T> {
  mismatch(value: unknown, path: string): string | undefined
  is(value: unknown): value is T
}

/** What a shape describes. */
export type ShapeOf<S> = S extends Shape<infer T> ? T : never

type Optional<T> = Shape<T> & { readonly optional: true }
type Fields = Readonly<Record<string, Shape<unknown>>>
type FieldsOf<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? never : K]: ShapeOf<F[K]>
} & {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: ShapeOf<F[K]>
}

function shape<T>(mismatch: (value: unknown, path: string) => string | undefined): Shape<T> {
  return { mismatch, is: (value): value is T => mismatch(value, '') === undefined }
}

function primitive<T>(kind: 'string' | 'number' | 'boolean'): Shape<T> {
  return shape((value, path) => (typeof value === kind ? undefined : `${path}: expected a ${kind}`))
}

export const text: Shape<string> = primitive('string')
export const number: Shape<number> = primitive('number')
export const flag: Shape<boolean> = primitive('boolean')
export const anything: Shape<unknown> = shape(() => undefined)

/** Exactly this text. */
export function literal<const T extends string>(expected: T): Shape<T> {
  return shape((value, path) => (value === expected ? undefined : `${path}: expected ${JSON.stringify(expected)}`))
}

/** Null, or this. */
export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return shape((value, path) => (value === null ? undefined : inner.mismatch(value, path)))
}

/** Absent, or this. */
export function optional<T>(inner: Shape<T>): Optional<T> {
  return {
    ...shape<T>((value, path) => (value === undefined ? undefined : inner.mismatch(value, path))),
    optional: true,
  }
}

/** Any number of these. */
export function list<T>(inner: Shape<T>): Shape<readonly T[]> {
  return shape((value, path) => {
    if (!Array.isArray(value)) return `${path}: expected an array`
    return firstMismatch(value.map((item, i) => [inner, item, `${path}[${i}]`]))
  })
}

/** An object with any names, of one kind of value. */
export function record<T>(inner: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return shape((value, path) => {
    if (typeof value !== 'object' || value === null) return `${path}: expected an object`
    return firstMismatch(Object.entries(value).map(([name, item]) => [inner, item, `${path}.${name}`]))
  })
}

/** An object with at least these fields. */
export function object<F extends Fields>(fields: F): Shape<FieldsOf<F>> {
  return shape((value, path) => {
    if (typeof value !== 'object' || value === null) return `${path}: expected an object`
    return firstMismatch(
      Object.entries(fields).map(([name, field]) => [field, Reflect.get(value, name), `${path}.${name}`]),
    )
  })
}

/** One of these, told apart by `tag`. */
export function union<T>(tag: string, members: Readonly<Record<string, Shape<T>>>): Shape<T> {
  return shape((value, path) => {
    const kind: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, tag) : undefined
    const member = typeof kind === 'string' && Object.hasOwn(members, kind) ? members[kind] : undefined
    if (member === undefined) return `${path}.${tag}: expected ${Object.keys(members).join(' or ')}`
    return member.mismatch(value, path)
  })
}

function firstMismatch(tries: readonly (readonly [Shape<unknown>, unknown, string])[]): string | undefined {
  for (const [inner, value, path] of tries) {
    const found = inner.mismatch(value, path)
    if (found !== undefined) return found
  }
  return undefined
}
