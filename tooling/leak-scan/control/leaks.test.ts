import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { inspect } from 'node:util'
import { beforeAll, describe, it } from 'vitest'
import { channels } from '../../../packages/core/src/diagnostics.ts'
import { InvalidInputError, KmsError } from '../../../packages/core/src/errors.ts'
import {
  SEEDED_ACCOUNT,
  SEEDED_MASTER_KEY,
  SEEDED_MASTER_KEY_BASE64,
  SEEDED_MASTER_KEY_HEX,
  SEEDED_PLAINTEXT,
  SEEDED_SECRET,
} from '../../../packages/testing/src/seeded-markers.ts'

// Each name says what the scan must report; `none` is a test that must pass.

const child = (program: string) => once(spawn(process.execPath, ['-e', program], { stdio: 'pipe' }), 'close')

it('none', async () => {
  new KmsError('us-west-2: Decrypt failed (AccessDeniedException)', {
    cause: new Error('of arn:aws:kms:x:[redacted]:k'),
  })
  console.log(inspect({ region: 'us-west-2' }))
  await child(`console.log('${SEEDED_PLAINTEXT}')`)
})
it('the server password is in the message of InvalidInputError', () => {
  new InvalidInputError(`bad: ${SEEDED_SECRET}`)
})
it('the account in an ARN is in a cause of KmsError', async () => {
  await Promise.reject(new KmsError('failed', { cause: new Error('may not use arn:aws:kms:x:123456789012:k') })).catch(
    () => undefined,
  )
})
it('the static master key is in util.inspect() of KmsError', () => {
  new KmsError('failed', { errors: [{ key: new Uint8Array(Buffer.from(SEEDED_MASTER_KEY)) }] })
})
it('the encoded plaintext is in util.inspect() of KmsError', () => {
  const cause = Object.defineProperty(new Error('failed'), 'hidden', { value: [Buffer.from(SEEDED_PLAINTEXT)] })
  new KmsError('failed', { cause: new Error('failed', { cause }) })
})
it('the ARN account is in the console', () => {
  console.error('account', SEEDED_ACCOUNT)
})
it('the static master key is in process.stdout', () => {
  process.stdout.write(Buffer.from(SEEDED_MASTER_KEY_BASE64))
})
it('the static master key is in the warning Warning', async () => {
  process.emitWarning(`key ${SEEDED_MASTER_KEY_HEX}`)
  await new Promise(setImmediate)
})
it('the plaintext is in a message on asherah:warning', () => {
  channels.warning.publish({ code: 'CONTROL', message: SEEDED_PLAINTEXT })
})
it('the server password is in the result of util.inspect()', () => {
  inspect({ options: { password: SEEDED_SECRET } })
})
it('the server password is in the standard output of a child process', async () => {
  const [start, end] = [SEEDED_SECRET.slice(0, 9), SEEDED_SECRET.slice(9)]
  await child(`process.stdout.write('${start}'); setTimeout(() => process.stdout.write('${end}'), 50)`)
})
it('the plaintext is in the standard error of a child process', async () => {
  await child(`console.error('${SEEDED_PLAINTEXT}')`)
})
it('the server password is in the standard error of a child process', () => {
  spawnSync(process.execPath, ['-e', `console.error('${SEEDED_SECRET}')`])
})
it('the static master key is in the standard output of a child process', () => {
  execFileSync(process.execPath, ['-e', `console.log('${SEEDED_MASTER_KEY}')`], { encoding: 'utf8' })
})
describe('a hook', () => {
  // The report of the file, not of a test, is checked for this.
  beforeAll(() => {
    new InvalidInputError(SEEDED_PLAINTEXT)
  })
  it('the plaintext is in the message of InvalidInputError', () => undefined)
})
