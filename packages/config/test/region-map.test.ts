import { inspect } from 'node:util'
import { readConfigEnvironment, readConfigObject } from '@asherah/config'
import { InvalidConfigError } from '@asherah/core'
import { describe, expect, it } from 'vitest'

const WEST = 'arn:aws:kms:us-west-2:000000000000:key/a'
const EAST = 'arn:aws:kms:us-east-1:000000000000:alias/x=y'

/** As the config, and as the environment, give it. */
const readers = [
  ['RegionMap', (text: string) => readConfigObject({ RegionMap: text }, {}).map('RegionMap')],
  [
    'the environment variable REGION_MAP',
    (text: string) => readConfigEnvironment({ REGION_MAP: text }).map('RegionMap'),
  ],
] as const

describe.each(readers)('D-122 the text of a region map in %s', (shown, read) => {
  it.each([
    ['R1=A1', { R1: 'A1' }],
    [`us-west-2=${WEST},us-east-1=${EAST}`, { 'us-west-2': WEST, 'us-east-1': EAST }],
    [` us-west-2 = ${WEST} , us-east-1=${EAST}\n`, { 'us-west-2': WEST, 'us-east-1': EAST }],
    [JSON.stringify({ 'us-east-1': EAST }), { 'us-east-1': EAST }],
    [` {"us-west-2":"${WEST}"}`, { 'us-west-2': WEST }],
    [JSON.stringify(JSON.stringify({ 'us-west-2': WEST })), { 'us-west-2': WEST }],
    [JSON.stringify(' {"R1":"A1"}'), { R1: 'A1' }],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual(expected)
  })

  it.each([
    ['R1=A1,', 'has an empty entry: it is region=arn,region=arn, or JSON'],
    [',R1=A1', 'has an empty entry'],
    ['R1=A1,,R2=A2', 'has an empty entry'],
    [' ', 'has an empty entry'],
    ['R1', 'has an entry without =: it is region=arn,region=arn, or JSON'],
    ['R1=A1,hunter2', 'has an entry without ='],
    ['=A1', 'has a region without a name'],
    ['R1=', '["R1"] is empty'],
    ['R1=A1,R1=A2', 'has "R1" twice'],
    ['{"R1":"A1"', 'is not JSON'],
    ['{"R1":"A1","R1":"A2"}', 'has "R1" twice'],
    ['{}', 'names no region'],
    ['["hunter2=x"]', 'is an object of KMS key ARNs by region, not a list'],
    [JSON.stringify('{"R1":"hunter2"'), 'is not JSON'],
    [JSON.stringify('{"R1":"A1","R1":"A2"}'), 'has "R1" twice'],
    [JSON.stringify(JSON.stringify('{"R1":"A1"}')), 'is an object of KMS key ARNs by region, not a string'],
    ['"hunter2=x"', 'is an object of KMS key ARNs by region, not a string'],
  ])('%s: %s', (text, message) => {
    try {
      read(text)
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(String(error)).toContain(`${shown}${message.startsWith('[') ? '' : ' '}${message}`)
      expect(inspect(error)).not.toContain('hunter2')
      return
    }
    expect.fail('it was accepted')
  })
})
