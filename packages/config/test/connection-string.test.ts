import { inspect } from 'node:util'
import { redactText, routeConnectionString } from '@asherah/config'
import { InvalidConfigError } from '@asherah/core'
import { describe, expect, it } from 'vitest'

describe('routeConnectionString', () => {
  it.each([
    ['mysql://u:p@h:3306/db', undefined, 'mysql', 'mysql://u:p@h:3306/db'],
    ['u:p@tcp(h:3307)/db?tls=true&parseTime=true', undefined, 'mysql', 'u:p@tcp(h:3307)/db?tls=true&parseTime=true'],
    ['u:p@ss/w:rd@tcp([::1]:3306)/db', 'mysql', 'mysql', 'u:p@ss/w:rd@tcp([::1]:3306)/db'],
    ['mysql://u:p@tcp(h:3306)/db?tls=false', undefined, 'mysql', 'mysql://u:p@tcp(h:3306)/db?tls=false'],
    ['u:p@h/db', 'mysql', 'mysql', 'mysql://u:p@h/db'],
    ['Server=h;Port=3306;Database=d;Uid=u;Pwd="p;w"', 'mysql', 'mysql', 'mysql://u:p%3Bw@h:3306/d'],
    ['postgres://u:p@h/db', undefined, 'postgres', 'postgres://u:p@h/db'],
    ['postgresql://h/db', 'postgres', 'postgres', 'postgresql://h/db'],
    ["host=h user=u password='p w'", 'postgres', 'postgres', "host=h user=u password='p w'"],
    ['u:p@h/d', 'postgres', 'postgres', 'postgres://u:p@h/d'],
    ['sqlserver://u:p@h:1433;database=d', undefined, 'mssql', 'sqlserver://u:p@h:1433;database=d'],
    ['mssql://h/d', 'sqlserver', 'mssql', 'mssql://h/d'],
    ['Server=h;Database=d;User ID=u;Password=p;', undefined, 'mssql', 'Server=h;Database=d;User ID=u;Password=p;'],
    ['oracle://u:p@h:1521/s', undefined, 'oracle', 'oracle://u:p@h:1521/s'],
    ['u/p@:w@h:1521/s', 'oracle', 'oracle', 'oracle://u:p%40%3Aw@h:1521/s'],
    ['h:1521/s', 'oracle', 'oracle', 'oracle://h:1521/s'],
    ['sqlite:///var/keys.db', undefined, 'sqlite', '/var/keys.db'],
    ['keys.db', 'sqlite', 'sqlite', 'keys.db'],
  ])('%s with %s is %s', (text, kind, database, connectionString) => {
    expect(routeConnectionString(text, kind)).toEqual({ database, connectionString })
  })

  it.each([
    ['mongodb://u:hunter2@h', undefined, 'none of the known forms'],
    ['hunter2', undefined, 'none of the known forms'],
    ['postgres://u:hunter2@h/d', 'mysql', 'SQLMetastoreDBType says mysql'],
    ['u:hunter2@tcp(h:1)/d', 'postgres', 'SQLMetastoreDBType says postgres'],
    ['Server=h;Pwd=hunter2;Pooling=true', 'mysql', '"Pooling"'],
  ])('D-111 refuses %s with %s without showing the password', (text, kind, message) => {
    expect.assertions(3)
    try {
      routeConnectionString(text, kind)
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(String(error)).toContain(message)
      expect(inspect(error)).not.toContain('hunter2')
    }
  })
})

describe('redactText', () => {
  it.each([
    ['cannot reach postgres://u:hunter2@h/d now', 'cannot reach postgres://[redacted]@h/d now'],
    ['mysql://u:hun@ter2@h/d', 'mysql://[redacted]@h/d'],
    ['dsn u:hunter2@tcp(h:1)/d', 'dsn [redacted]@tcp(h:1)/d'],
    ['Server=h;User ID=u;Password=hunter2;', 'Server=h;User ID=[redacted];Password=[redacted];'],
    ["password='hunter 2' host=h", 'password=[redacted] host=h'],
    ['arn:aws:kms:us-west-2:000000000000:key/x', 'arn:aws:kms:us-west-2:[redacted]:key/x'],
    ['ab'.repeat(32), '[redacted]'],
    ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
  ])('%s', (text, expected) => {
    expect(redactText(text)).toBe(expected)
  })
})
