import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecretsManagerKms } from '@asherah/kms-secrets-manager'
import { expect, test } from 'vitest'
import { createFakeSecret } from './fake-secret.ts'

const document = readFileSync(new URL('../../../docs/kms-secrets-manager.md', import.meta.url), 'utf8')
const ACTIONS: Readonly<Record<string, string>> = {
  get: 'secretsmanager:GetSecretValue',
  list: 'secretsmanager:ListSecretVersionIds',
}

test('D-082 the documented policy allows the calls of a full cycle with a rotation, and no others', async () => {
  const fake = createFakeSecret({ SecretBinary: randomBytes(32) })
  const createKms = () => createSecretsManagerKms({ secretId: 'name', client: fake.client })
  const wrapped = await createKms().encryptKey(new Uint8Array(32))
  fake.rotate({ SecretBinary: randomBytes(32) })
  await createKms().decryptKey(wrapped)
  const policy: { Statement: { Action: string[] }[] } = JSON.parse(/```json iam\n(.*?)```/s.exec(document)?.[1] ?? '')
  const made = new Set(fake.calls.map((call) => ACTIONS[call.split(' ')[0] ?? '']))
  expect([...made].sort()).toEqual(policy.Statement.flatMap(({ Action }) => Action).sort())
})
