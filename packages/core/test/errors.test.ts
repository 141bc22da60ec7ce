import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import * as backendDoor from '../src/backend.ts'
import * as applicationDoor from '../src/index.ts'
import {
  AsherahError,
  CorruptRecordError,
  InvalidInputError,
  KeyNotFoundError,
  KmsError,
  MetastoreError,
} from '../src/index.ts'
import { minimalOptions } from './harness.ts'

const key = { keyId: '_IK_p_svc_prod', created: 1_795_251_240 }

const classes = [
  ['InvalidInputError', 'ERR_ASHERAH_INVALID_INPUT'],
  ['InvalidConfigError', 'ERR_ASHERAH_INVALID_CONFIG'],
  ['WrongPartitionError', 'ERR_ASHERAH_WRONG_PARTITION'],
  ['DecryptionError', 'ERR_ASHERAH_DECRYPTION_FAILED'],
  ['KeyNotFoundError', 'ERR_ASHERAH_KEY_NOT_FOUND'],
  ['MetastoreError', 'ERR_ASHERAH_METASTORE'],
  ['CorruptRecordError', 'ERR_ASHERAH_CORRUPT_RECORD'],
  ['FutureKeyError', 'ERR_ASHERAH_FUTURE_KEY'],
  ['KmsError', 'ERR_ASHERAH_KMS'],
  ['ClosedError', 'ERR_ASHERAH_CLOSED'],
  ['SecureMemoryError', 'ERR_ASHERAH_SECURE_MEMORY'],
  ['AbortedError', 'ERR_ASHERAH_ABORTED'],
] as const

function make(name: (typeof classes)[number][0], options?: ErrorOptions): AsherahError {
  if (name === 'KeyNotFoundError') return new KeyNotFoundError('what is wrong', key, options)
  const { [name]: ErrorClass } = applicationDoor
  return new ErrorClass('what is wrong', options)
}

describe('every class', () => {
  it.each(classes)('%s has the code %s, its name, its message and its cause', (name, code) => {
    const cause = new RangeError('the reason')
    const error = make(name, { cause })
    expect(error).toBeInstanceOf(AsherahError)
    expect(error).toBeInstanceOf(Error)
    expect([error.code, error.name, error.message, error.cause]).toEqual([code, name, 'what is wrong', cause])
    expect(Object.prototype.toString.call(error)).toBe('[object Error]')
    expect(`${error}`).toBe(`${name}: what is wrong`)
    expect(`${error.stack}`.split('\n')[0]).toContain('what is wrong')
    expect(inspect(error)).toContain(code)
    expect('cause' in make(name)).toBe(false)
  })

  it.each(classes)('%s is the same class behind both doors', (name) => {
    expect(Reflect.get(backendDoor, name)).toBe(Reflect.get(applicationDoor, name))
  })

  it('the table is complete, and no two share a code', () => {
    const exported = Object.entries(applicationDoor).filter(
      ([name, value]) =>
        typeof value === 'function' && value.prototype instanceof AsherahError && name !== 'AsherahError',
    )
    expect(exported.map(([name]) => name).sort()).toEqual(classes.map(([name]) => name).sort())
    expect(new Set(classes.map(([, code]) => code)).size).toBe(classes.length)
  })

  it('is told apart by its code across copies and threads', () => {
    const clone = structuredClone({ code: make('KmsError').code })
    expect(clone.code).toBe('ERR_ASHERAH_KMS')
  })
})

describe('what some carry', () => {
  it('KeyNotFoundError: the key', () => {
    const error = new KeyNotFoundError('not there', key)
    expect([error.keyId, error.created]).toEqual([key.keyId, key.created])
  })

  it('KmsError: each failure', () => {
    const failures = [new Error('east'), new Error('west')]
    expect(new KmsError('all failed', { errors: failures }).errors).toEqual(failures)
    expect(new KmsError('failed', { cause: failures[0] }).errors).toEqual([failures[0]])
    expect(new KmsError('failed', { cause: failures[0], errors: failures }).errors).toEqual(failures)
    expect(new KmsError('failed').errors).toEqual([])
  })
})

it('an error of a session has the name of its class, and a stack that leads to the caller', async () => {
  async function callerOfEncrypt(): Promise<unknown> {
    const session = new applicationDoor.SessionFactory(minimalOptions()).getSession('p')
    try {
      return await Reflect.apply(session.encrypt, session, ['text'])
    } catch (error) {
      return error
    }
  }
  const error = await callerOfEncrypt()
  if (!(error instanceof InvalidInputError)) throw new Error('no such error')
  expect(error.name).toBe('InvalidInputError')
  expect(error.stack).toContain('callerOfEncrypt')
})

describe('errors of another copy of this package', () => {
  it('are instances too: of AsherahError, and of the class with their code only', async () => {
    vi.resetModules()
    const other = await import('../src/index.ts')
    expect(other.MetastoreError).not.toBe(MetastoreError)
    const foreign = new other.MetastoreError('refused', { cause: new Error('ECONNREFUSED') })
    expect(foreign instanceof AsherahError).toBe(true)
    expect(foreign instanceof MetastoreError).toBe(true)
    expect(foreign instanceof CorruptRecordError).toBe(false)
    class OwnError extends MetastoreError {}
    expect(foreign instanceof OwnError).toBe(false)
    expect(new OwnError('x') instanceof MetastoreError).toBe(true)
    expect(new OwnError('x') instanceof other.MetastoreError).toBe(true)
  })

  it('nothing else is', () => {
    const lookalike = Object.assign(new Error('x'), { code: 'ERR_ASHERAH_METASTORE' })
    for (const value of [lookalike, null, undefined, 'x', {}]) {
      expect(value instanceof AsherahError).toBe(false)
      expect(value instanceof MetastoreError).toBe(false)
    }
  })
})
