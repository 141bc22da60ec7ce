import { describe, expect, it } from 'vitest'
import { parseDataRowRecord } from '../../src/internal/record-codec.ts'
import {
  CREATED,
  DATA64,
  IK_CREATED,
  IK_ID,
  KEY64,
  plain,
  refusal,
  SAMPLE_TEXT,
  sampleRecord,
  textWith,
  unicodeEscape,
} from './record-samples.ts'

const encoder = new TextEncoder()

const PARENT = `"ParentKeyMeta":{"KeyId":"${IK_ID}","Created":${IK_CREATED}}`
const NOT_CREATED = 'must be Unix seconds from 1 to 2^53 - 1, in plain digits'

describe('what each reader accepts: data row records', () => {
  it.each([
    ['unknown fields', textWith('"Data"', '"Extra":{"Data":[1,{"b":"}"}]},"Data"')],
    ['unknown fields of Key', textWith('"Key":"', '"Other":null,"Key":"')],
    ['unknown fields of ParentKeyMeta', textWith('"KeyId"', '"Extra":-1.5e9,"KeyId"')],
    ['unknown fields twice', textWith('"Data"', '"x":1,"x":2,"Data"')],
    ['names in another case beside the real ones', textWith('"Data"', '"data":5,"KEY":{},"Data"')],
    ['__proto__', textWith('"Data"', '"__proto__":{"Data":"x","polluted":1},"constructor":{"prototype":{}},"Data"')],
    ['__proto__ in Key', textWith('"Key":"', '"__proto__":{"polluted":1},"toString":1,"Key":"')],
    ['another order', `{"Data":"${DATA64}","Key":{${PARENT},"Key":"${KEY64}","Created":${CREATED}}}`],
    ['white space', JSON.stringify(JSON.parse(SAMPLE_TEXT), null, '\t').replaceAll('\n', ' \r\n')],
    ['white space around', `\n\t ${SAMPLE_TEXT}\r\n`],
    ['Revoked: null', textWith(PARENT, `${PARENT},"Revoked":null`)],
    ['Revoked: false', textWith(PARENT, `${PARENT},"Revoked":false`)],
    ['Revoked: true, which a data row key has no use for', textWith(PARENT, `${PARENT},"Revoked":true`)],
    ['escaped names', textWith('"Data"', '"D\\u0061ta"')],
    ['escaped ids', textWith('"_IK_', '"\\u005fIK\\u005f')],
    ['escaped base64', textWith(DATA64.slice(0, 4), unicodeEscape(DATA64.slice(0, 4)))],
  ])('D-087 yes: %s', (_, text) => {
    expect(plain(parseDataRowRecord(text))).toEqual(plain(sampleRecord()))
    expect(plain(parseDataRowRecord(encoder.encode(text)))).toEqual(plain(sampleRecord()))
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it.each([
    ['names in another case', SAMPLE_TEXT.toLowerCase(), 'Key is missing'],
    ['Data in another case', textWith('"Data"', '"data"'), 'Data is missing'],
    ['KeyId in another case', textWith('"KeyId"', '"keyId"'), 'Key.ParentKeyMeta.KeyId is missing'],
    ['Key twice', textWith('{"Key"', '{"Key":null,"Key"'), 'has Key twice'],
    ['Data twice', textWith('"Data"', '"Data":"","Data"'), 'has Data twice'],
    ['Data twice, once escaped', textWith('"Data"', '"D\\u0061ta":"","Data"'), 'has Data twice'],
    ['Key.Key twice', textWith('"Key":"', '"Key":1,"Key":"'), 'has Key.Key twice'],
    ['Revoked twice', textWith(PARENT, `${PARENT},"Revoked":false,"Revoked":false`), 'has Key.Revoked twice'],
    ['KeyId twice', textWith('"KeyId"', '"KeyId":"","KeyId"'), 'has Key.ParentKeyMeta.KeyId twice'],
    ['no Created', textWith(`"Created":${CREATED},`, ''), 'Key.Created is missing'],
    ['Created null', textWith(`${CREATED}`, 'null'), `Key.Created ${NOT_CREATED}, not null`],
    ['Created as a string', textWith(`${CREATED}`, `"${CREATED}"`), `Key.Created ${NOT_CREATED}, not a string`],
    ['Created as a list', textWith(`${CREATED}`, `[${CREATED}]`), `Key.Created ${NOT_CREATED}, not an object`],
    ['Created 1.0', textWith(`${IK_CREATED}`, `${IK_CREATED}.0`), `Key.ParentKeyMeta.Created ${NOT_CREATED}`],
    ['base64 unpadded', textWith('=="}', '"}'), 'Data must be standard base64 with padding, in canonical form'],
    [
      'base64 with a line break',
      textWith(DATA64, `${DATA64.slice(0, 8)}\\n${DATA64.slice(8)}`),
      /^Data must be standard/,
    ],
    [
      'base64 with a raw line break',
      textWith(DATA64, `${DATA64.slice(0, 8)}\n${DATA64.slice(8)}`),
      /^Data must be standard/,
    ],
    ['base64 with spaces for length', textWith(DATA64, `${DATA64}    `), /^Data must be standard/],
    ['base64 with trailing bits', textWith(DATA64, DATA64.replace(/.==$/, 'x==')), /^Data must be standard/],
    ['URL-safe base64', textWith(KEY64, `-${KEY64.slice(1)}`), /^Key.Key must be standard/],
    ['text after the JSON', `${SAMPLE_TEXT}xyz`, /^has text after the JSON value/],
    ['a byte order mark', `\ufeff${SAMPLE_TEXT}`, 'is not JSON: unexpected character at position 0'],
    [
      'Revoked as a string',
      textWith(PARENT, `${PARENT},"Revoked":"true"`),
      /^Key.Revoked must be true, false or null, not a/,
    ],
    ['Revoked as a number', textWith(PARENT, `${PARENT},"Revoked":1`), /^Key.Revoked must be true, false or null/],
    ['Revoked as an object', textWith(PARENT, `${PARENT},"Revoked":{}`), /^Key.Revoked must be true, false or null/],
    ['Key null', '{"Key":null,"Data":"QQ=="}', 'Key must be an object, not null'],
    ['Key a string', '{"Key":"QQ==","Data":"QQ=="}', 'Key must be an object, not a string'],
    ['Key a list', '{"Key":[],"Data":"QQ=="}', 'Key.Created is missing'],
    ['ParentKeyMeta null', textWith(PARENT, '"ParentKeyMeta":null'), 'Key.ParentKeyMeta must be an object, not null'],
    ['no ParentKeyMeta', textWith(`,${PARENT}`, ''), 'Key.ParentKeyMeta is missing'],
    ['no KeyId', textWith(`"KeyId":"${IK_ID}",`, ''), 'Key.ParentKeyMeta.KeyId is missing'],
    ['KeyId empty', textWith(IK_ID, ''), 'Key.ParentKeyMeta.KeyId is empty'],
    ['KeyId a number', textWith(`"${IK_ID}"`, '5'), 'Key.ParentKeyMeta.KeyId must be a string'],
    ['KeyId with a lone surrogate', textWith(IK_ID, '_IK_\\ud800'), /^Key.ParentKeyMeta.KeyId has a lone surrogate/],
    ['Data null', textWith(`"${DATA64}"`, 'null'), 'Data must be a base64 string, not null'],
    ['Data a number', textWith(`"${DATA64}"`, '5'), 'Data must be a base64 string'],
    ['no Data', textWith(`,"Data":"${DATA64}"`, ''), 'Data is missing'],
  ])('D-087 no: %s', (_, text, message) => {
    expect(refusal(text)).toMatch(message)
    expect(refusal(encoder.encode(text))).toMatch(message)
  })

  it.each([
    ['zero', '0'],
    ['minus zero', '-0'],
    ['negative', '-1'],
    ['1.0', '1.0'],
    ['a float of a time', '1700000000.0'],
    ['a fraction', '1700000000.5'],
    ['an exponent', '1e9'],
    ['an exponent of zero', '1700000000e0'],
    ['2^53', '9007199254740992'],
    ['2^53 + 1', '9007199254740993'],
    ['seventeen digits', '17000000000000000'],
    ['beyond doubles', `1${'0'.repeat(400)}`],
  ])('D-091 refuses Created of %s in either place', (_, number) => {
    expect(refusal(textWith(`${CREATED}`, number))).toBe(`Key.Created ${NOT_CREATED}`)
    expect(refusal(textWith(`${IK_CREATED}`, number))).toBe(`Key.ParentKeyMeta.Created ${NOT_CREATED}`)
  })

  it.each([1, 999_999_999, 10_000_000_000, Number.MAX_SAFE_INTEGER])('D-091 takes Created of %i', (created) => {
    expect(parseDataRowRecord(textWith(`${CREATED}`, `${created}`)).key.created).toBe(created)
  })

  it.each(['', '{}', '[]', 'null', '5', '"x"', 'true', 'not json', '[{}]', '\u0000'])(
    'D-095 refuses the text %j',
    (text) => {
      expect(refusal(text)).toMatch(/^is not JSON|^must be a JSON object$|^Key is missing$/)
      expect(refusal(encoder.encode(text))).toMatch(/^is not JSON|^must be a JSON object$|^Key is missing$/)
    },
  )
})
