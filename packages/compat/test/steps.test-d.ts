import type { BuildStep, CryptoPolicyStep, KeyManagementServiceStep, MetastoreStep } from '@asherah/compat'
import { expectTypeOf, it } from 'vitest'

it('D-003 each step offers only what may come next', () => {
  expectTypeOf<keyof MetastoreStep>().toEqualTypeOf<'withInMemoryMetastore' | 'withMetastore'>()
  expectTypeOf<keyof CryptoPolicyStep>().toEqualTypeOf<'withNeverExpiredCryptoPolicy' | 'withCryptoPolicy'>()
  expectTypeOf<keyof KeyManagementServiceStep>().toEqualTypeOf<
    'withStaticKeyManagementService' | 'withKeyManagementService'
  >()
  expectTypeOf<keyof BuildStep>().toEqualTypeOf<'withMetrics' | 'withLogger' | 'withRecoveryRegionSuffixes' | 'build'>()
})
