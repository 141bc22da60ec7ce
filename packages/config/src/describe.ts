import { type ConfigKey, configKeys, type KeyGroup } from './key-table.ts'

const GROUPS: readonly (readonly [KeyGroup, string])[] = [
  ['keys', 'Keys and logging'],
  ['metastore', 'Metastore'],
  ['sql', 'SQL databases'],
  ['dynamodb', 'DynamoDB'],
  ['kms', 'KMS'],
  ['aws', 'AWS'],
  ['vault', 'Vault'],
  ['cache', 'Caches'],
  ['guard', 'Configuration drift guard'],
  ['legacy', 'Accepted without effect, with one warning'],
]

/** The tables of keys in docs/config.md. */
export function configMarkdown(): string {
  return GROUPS.map(([group, title]) => {
    const rows = configKeys.filter((key) => key.group === group).map(rowOf)
    const head = '| key | camelCase | value | default | environment | |\n|---|---|---|---|---|---|'
    return `### ${title}\n\n${head}\n${rows.join('\n')}\n`
  }).join('\n')
}

function rowOf(key: ConfigKey): string {
  const env = key.env.map((name) => `\`${name}\``).join(', ') + (key.ambient ? ' ∗' : '')
  const names = [key.camel, ...key.aliases].map((name) => `\`${name}\``).join(', ')
  return `| \`${key.name}\` | ${names} | ${allowedBy(key)} | ${key.byDefault} | ${env} | ${key.about} |`
}

function allowedBy(key: ConfigKey): string {
  switch (key.type) {
    case 'choice':
      return key.choices.map((choice) => `\`${choice}\``).join(', ')
    case 'seconds':
      return `seconds, ${key.min} to ${key.max}`
    case 'count':
      return `${key.min} to ${key.max}`
    case 'flag':
      return 'true, false'
    case 'textList':
      return 'list of texts (environment: commas)'
    case 'regionMap':
      return '`{ region: arn }`, its JSON text, or `region=arn,region=arn`'
    case 'secret':
      return 'text, secret'
    case 'text':
      return 'text'
  }
}

/** The JSON Schema of a config file. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const properties = configKeys.flatMap((key) => {
    const schema = { description: `${key.about} Default: ${key.byDefault}.`, ...schemaOf(key) }
    const old = { ...schema, deprecated: true }
    const aliases = key.aliases.map((name) => [name, old] as const)
    return [[key.name, schema] as const, [key.camel, schema] as const, ...aliases]
  })
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Asherah config',
    type: 'object',
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(properties) },
    additionalProperties: false,
  }
}

function schemaOf(key: ConfigKey): object {
  switch (key.type) {
    case 'choice':
      return { type: ['string', 'null'], enum: [...key.choices, null] }
    case 'seconds':
    case 'count':
      return { type: ['integer', 'null'], minimum: key.min, maximum: key.max }
    case 'flag':
      return { type: ['boolean', 'null'] }
    case 'textList':
      return { type: ['array', 'null'], items: { type: 'string', minLength: 1 } }
    case 'regionMap':
      return {
        type: ['object', 'string', 'null'],
        minProperties: 1,
        minLength: 1,
        additionalProperties: { type: 'string', minLength: 1 },
      }
    default:
      return { type: ['string', 'null'], minLength: 1 }
  }
}

/** The source of `asherah-config.ts`. */
export function configTypes(): string {
  const members = configKeys.flatMap((key) => {
    const type = typeOf(key)
    const line = (name: string, note: string): string =>
      `  /** ${note} */\n  readonly ${name}?: ${type} | null | undefined`
    const deprecated = key.aliases.map((name) => line(name, `@deprecated Use ${key.camel}.`))
    return [
      line(key.name, `${key.about} Default: ${key.byDefault}.`),
      line(key.camel, `As {@link AsherahConfig.${key.name}}.`),
      ...deprecated,
    ]
  })
  return (
    '// Made by packages/config/scripts/generate.ts from key-table.ts: edit that.\n\n' +
    '/** A config: each key in PascalCase or in camelCase. Durations are in seconds; null is absent. */\n' +
    `export interface AsherahConfig {\n${members.join('\n')}\n}\n`
  )
}

function typeOf(key: ConfigKey): string {
  switch (key.type) {
    case 'choice':
      // Any case is accepted; editors offer these.
      return `${key.choices.map((choice) => `'${choice}'`).join(' | ')} | (string & {})`
    case 'seconds':
    case 'count':
      return 'number'
    case 'flag':
      return 'boolean'
    case 'textList':
      return 'readonly string[]'
    case 'regionMap':
      return 'Readonly<Record<string, string>> | string'
    default:
      return 'string'
  }
}
