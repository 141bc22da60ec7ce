import { createNodeCrypto } from '@asherah/core/backend'
import { cryptoProviderConformance } from '@asherah/testing'
import { describe } from 'vitest'
import { createNativeCrypto } from '../src/index.ts'
import { nativeBinary } from './support/native-build.ts'

const EVERY_FAST_FORM = [
  'encryptRowJson',
  'decryptRowJson',
  'encryptRowJsonAsync',
  'decryptRowAsync',
  'encryptRowsPacked',
  'decryptRowsPacked',
] as const

describe.skipIf(nativeBinary() === undefined)('the native code', () => {
  cryptoProviderConformance({
    name: 'native-ffi',
    create: () => createNativeCrypto({ mode: 'required' }),
    offers: EVERY_FAST_FORM,
  })
  cryptoProviderConformance({
    name: 'native-ffi, with the random bytes of each row from the system',
    create: () => createNativeCrypto({ mode: 'required', randomPool: false }),
    offers: EVERY_FAST_FORM,
  })
})

cryptoProviderConformance({
  name: `the fallback, which is ${createNodeCrypto.name}`,
  create: () => createNativeCrypto({ mode: 'off' }),
  offers: ['encryptRowJson'],
})
