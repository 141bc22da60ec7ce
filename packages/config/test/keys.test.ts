import { inspect } from 'node:util'
import { type ConfigKey, configKeys, readConfigEnvironment, readConfigObject, readConfigText } from '@asherah/config'
import { InvalidConfigError } from '@asherah/core'
import { describe, expect, it } from 'vitest'

const SECRET = 'seeded-marker-s3cret'

function good(key: ConfigKey): unknown {
  switch (key.type) {
    case 'choice':
      return key.choices[0]
    case 'flag':
      return true
    case 'seconds':
    case 'count':
      return key.max
    case 'textList':
      return ['us-west-2', 'eu-west-1']
    case 'regionMap':
      return { 'us-west-2': 'arn:aws:kms:us-west-2:111122223333:key/a' }
    default:
      return SECRET
  }
}

function envText(key: ConfigKey): string {
  const value = good(key)
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function wrongValues(key: ConfigKey): unknown[] {
  const never = [Number.NaN, Symbol('x'), () => 1, 1n]
  switch (key.type) {
    case 'flag':
      return [...never, 'true', 1, 0, '', [], {}]
    case 'seconds':
    case 'count':
      return [...never, '60', -1, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, true, [], {}]
    case 'textList':
      return [...never, 'us-west-2', [1], [''], {}, true]
    case 'regionMap':
      return [...never, [], {}, '[]', '{', { '': 'arn' }, { 'us-west-2': '' }, { 'us-west-2': 1 }, true]
    default:
      return [...never, 5, true, '', [], {}, '\uD800', 'a\0b']
  }
}

/** The error of a call that must refuse. */
function refusal(call: () => unknown): InvalidConfigError {
  try {
    call()
  } catch (error) {
    if (error instanceof InvalidConfigError) return error
    throw error
  }
  throw new Error('it was accepted')
}

function read(settings: ReturnType<typeof readConfigObject>, key: ConfigKey): unknown {
  const { name } = key
  return (
    settings.text(name) ?? settings.number(name) ?? settings.flag(name) ?? settings.list(name) ?? settings.map(name)
  )
}

/** One character swapped: near enough for “did you mean”. */
function misspelt(name: string): string {
  return `${name.slice(0, -2)}${name.at(-1)}${name.at(-2) === name.at(-1) ? 'q' : ''}${name.at(-2)}`
}

describe.each(configKeys.map((key) => [key.name, key] as const))('config key %s', (_, key) => {
  const names = [key.name, key.camel, ...key.aliases]

  it('absent, null or undefined: not there', () => {
    expect(readConfigObject({}, {}).has(key.name)).toBe(false)
    for (const name of names) {
      expect(readConfigObject({ [name]: null }, {}).has(key.name)).toBe(false)
      expect(readConfigObject({ [name]: undefined }, {}).has(key.name)).toBe(false)
    }
  })

  it('valid, in every name it has', () => {
    for (const name of names) expect(read(readConfigObject({ [name]: good(key) }, {}), key)).toEqual(good(key))
    expect(read(readConfigText(JSON.stringify({ [key.camel]: good(key) }), {}), key)).toEqual(good(key))
  })

  it('D-044 wrong type or out of range: refused, naming the key and not the value', () => {
    for (const value of wrongValues(key)) {
      const error = refusal(() => readConfigObject({ [key.camel]: value }, {}))
      expect(error.message).toContain(key.camel)
      expect(inspect(error)).not.toContain(SECRET)
    }
    if (key.min > 0) expect(() => readConfigObject({ [key.name]: key.min - 1 }, {})).toThrow(key.name)
  })

  it('D-043 misspelt: refused, with the nearest name', () => {
    for (const name of [key.name, key.camel]) {
      const error = refusal(() => readConfigObject({ [misspelt(name)]: good(key) }, {}))
      expect(error.message).toContain('did you mean')
      expect(inspect(error)).not.toContain(SECRET)
    }
    if (key.name.toLowerCase() !== key.camel) {
      expect(() => readConfigObject({ [key.name.toLowerCase()]: good(key) }, {})).toThrow(/did you mean/)
    }
  })

  it('D-043 both casings: accepted when equal, refused when they differ', () => {
    if (key.name === key.camel) throw new Error('a key needs two names')
    expect(read(readConfigObject({ [key.name]: good(key), [key.camel]: good(key) }, {}), key)).toEqual(good(key))
    const other = key.type === 'flag' ? false : key.type === 'choice' ? key.choices[1] : otherValue(key)
    const error = refusal(() => readConfigObject({ [key.name]: good(key), [key.camel]: other }, {}))
    expect(error.message).toBe(`${key.name} and ${key.camel} are one key, with different values`)
  })

  it('from the environment, which the config wins over', () => {
    for (const name of key.env) {
      const env = { KMS: 'aws', Metastore: name === 'SQLITE_PATH' ? 'sqlite' : 'rdbms', [name]: envText(key) }
      const settings = readConfigEnvironment(env)
      expect(read(settings, key)).toEqual(good(key))
      expect(settings.origin(key.name)).toBe('environment')
      expect(readConfigObject({}, { [name]: envText(key) }).has(key.name)).toBe(key.ambient)
      expect(readConfigObject({}, { [name]: '' }).has(key.name)).toBe(false)
      expect(readConfigObject({ [key.name]: good(key) }, { [name]: 'nonsense' }).origin(key.name)).toBe('config')
      if (key.type === 'text' || key.type === 'secret') continue
      const error = refusal(() => readConfigEnvironment({ ...env, [name]: `${SECRET}\0` }))
      expect(error.message).toContain(name)
      expect(inspect(error)).not.toContain(SECRET)
    }
  })

  it('D-111 no inspection or JSON shows a secret', () => {
    const settings = readConfigObject({ [key.name]: good(key) }, {})
    const shown = inspect(settings, { showHidden: true, depth: 9 }) + JSON.stringify(settings)
    if (key.type === 'secret') expect(shown).not.toContain(SECRET)
    expect(shown).not.toContain('111122223333')
    expect(shown).toContain(key.name)
  })
})

function otherValue(key: ConfigKey): unknown {
  switch (key.type) {
    case 'seconds':
    case 'count':
      return key.min
    case 'textList':
      return ['ap-south-1']
    case 'regionMap':
      return { 'us-east-1': 'arn' }
    default:
      return 'another'
  }
}
