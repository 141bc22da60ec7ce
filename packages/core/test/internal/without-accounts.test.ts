import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { withoutAccounts } from '../../src/backend.ts'

const ACCOUNT = '000011112222'
const TEXT = `User: arn:aws:iam::${ACCOUNT}:user/x may not`
const SAFE = 'User: arn:aws:iam::[redacted]:user/x may not'

function shown(value: unknown): string {
  return inspect(value, { showHidden: true, depth: Number.POSITIVE_INFINITY })
}

test.each<[string, object, object]>([
  ['an object', { Error: { Message: TEXT, Code: 'AccessDenied' } }, { Error: { Message: SAFE, Code: 'AccessDenied' } }],
  ['a list', { Reasons: ['a', { Message: TEXT }, 1] }, { Reasons: ['a', { Message: SAFE }, 1] }],
  ['a list in a list', { Reasons: [[TEXT]] }, { Reasons: [[SAFE]] }],
  ['an error in an object', { context: { error: new TypeError(TEXT) } }, { context: { error: new TypeError(SAFE) } }],
  ['a frozen object', { Error: Object.freeze({ Message: TEXT }) }, { Error: { Message: SAFE } }],
  ['an object beside it', { Error: { Message: TEXT }, $metadata: { attempts: 1 } }, { $metadata: { attempts: 1 } }],
])('D-117 an account is found in the fields of an error: %s', (_, fields, expected) => {
  const cause = withoutAccounts(Object.assign(new RangeError('refused'), fields))
  expect(cause).toBeInstanceOf(RangeError)
  expect(cause).toMatchObject({ message: 'refused', ...expected })
  expect(shown(cause)).not.toContain(ACCOUNT)
})

test('D-117 what was thrown need be no error', () => {
  expect(withoutAccounts(TEXT)).toBe(SAFE)
  expect(withoutAccounts({ Message: TEXT })).toEqual({ Message: SAFE })
  const bare: object = Object.assign(Object.create(null), { Message: TEXT })
  expect(Object.getPrototypeOf(withoutAccounts(bare))).toBeNull()
})

test('what has no account is given back, and so are its parts where another part has one', () => {
  const fields = { $metadata: { attempts: Number.NaN }, list: [new Error('a')], sent: new Date(0), none: null }
  const error = Object.assign(new Error('refused'), fields)
  expect(withoutAccounts(error)).toBe(error)
  const cause = withoutAccounts(Object.assign(error, { Message: TEXT }))
  expect(cause).not.toBe(error)
  for (const [name, value] of Object.entries(fields)) expect(Reflect.get(Object(cause), name)).toBe(value)
})

test('an error that leads back to itself, by many ways, is copied once', () => {
  const error = Object.assign(new Error(TEXT), { context: {}, errors: new Array<unknown>(20) })
  Object.assign(error.context, { error, list: error.errors })
  error.errors.fill(error.context)
  expect(shown(withoutAccounts(error))).not.toContain(ACCOUNT)
  expect(withoutAccounts(error)).toMatchObject({ message: SAFE, context: {} })
})

test('a getter that throws does no harm, nor does a DOMException that is none inside', () => {
  const refuse = (): never => {
    throw new Error('not yet')
  }
  const error = Object.defineProperty(new Error(TEXT), 'response', { get: refuse, enumerable: true })
  expect(withoutAccounts(error)).toMatchObject({ message: SAFE, response: undefined })
  const hollow: object = Object.create(DOMException.prototype, { stack: { value: TEXT } })
  expect(withoutAccounts(hollow)).toMatchObject({ message: '', stack: SAFE })
})

test('D-117 a DOMException without its accounts can be read', () => {
  const stack = `AbortError: gone\n    at /srv/${ACCOUNT}/main.js`
  const error = Object.defineProperty(new DOMException('gone', 'AbortError'), 'stack', { value: stack })
  const cause = withoutAccounts(error)
  expect(cause).toBeInstanceOf(DOMException)
  const { message, name, code } = cause instanceof DOMException ? cause : expect.unreachable()
  expect({ message, name, code }).toEqual({ message: 'gone', name: 'AbortError', code: DOMException.ABORT_ERR })
  expect(shown(cause)).not.toContain(ACCOUNT)

  const named = withoutAccounts(new DOMException(TEXT, { name: 'TimeoutError', cause: new Error(TEXT) }))
  expect(named).toMatchObject({ message: SAFE, name: 'TimeoutError', cause: { message: SAFE } })
  expect(shown(named)).not.toContain(ACCOUNT)
})
