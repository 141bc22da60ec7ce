import { InvalidConfigError } from '@asherah/core/backend'
import type { MssqlLogin } from './target.ts'

const CREDENTIAL_HINT = 'pass a credential of @azure/identity as the option `credential`'

/**
 * @param values What the string says, by meaning.
 * @throws InvalidConfigError
 */
export function parseLogin(values: ReadonlyMap<string, string>, hasCredential: boolean): MssqlLogin {
  const integrated = values.get('integrated')?.toLowerCase() ?? 'false'
  if (!['false', 'no', '0', ''].includes(integrated)) {
    throw new InvalidConfigError(
      'connectionString: Integrated Security (a Windows login) is not supported; use an SQL login or Entra ID',
    )
  }
  const user = values.get('user') ?? ''
  const password = values.get('password') ?? ''
  const method = (values.get('authentication') ?? '').toLowerCase().replaceAll(/\s/g, '')
  if (hasCredential) {
    if (user !== '' || password !== '' || !['', 'activedirectorydefault'].includes(method)) {
      throw new InvalidConfigError('connectionString: with the option credential, the string must not have a login')
    }
    return { kind: 'none' }
  }
  const clientId = user === '' ? {} : { clientId: user }
  switch (method) {
    case '':
    case 'sqlpassword':
      if (user === '') throw new InvalidConfigError('connectionString: the user (User ID) is missing')
      if (password === '') throw new InvalidConfigError('connectionString: the password is missing')
      return { kind: 'password', user, password }
    case 'activedirectorydefault':
      return { kind: 'default', ...clientId }
    case 'activedirectorymanagedidentity':
    case 'activedirectorymsi':
      return { kind: 'managed-identity', ...clientId }
    default:
      throw new InvalidConfigError(
        `connectionString: Authentication must be SqlPassword, Active Directory Default or Active Directory Managed Identity; for others, ${CREDENTIAL_HINT}`,
      )
  }
}
