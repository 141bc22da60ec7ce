import { createStaticKms } from '@asherah/kms-static'
import { kmsConformance } from '@asherah/testing'

const masterKeyHex = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
const otherKeyHex = 'ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'

kmsConformance({
  name: 'static',
  create: () => createStaticKms({ masterKeyHex }),
  reopen: () => createStaticKms({ masterKeyHex }),
  createOther: () => createStaticKms({ masterKeyHex: otherKeyHex }),
  dispose: (kms) => kms.close(),
})
