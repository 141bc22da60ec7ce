// Hostile records and rows through a session (D-085, D-139): each one must be a typed error or a payload.
import { SessionFactory } from '@asherah/core'
import { AsherahError } from '@asherah/core/backend'
import { createNativeCrypto } from '../../src/index.ts'
import { createFakeKms, createFakeMetastore } from '../support/fakes.ts'

// Under AddressSanitizer nothing can be locked.
const allowUnlocked = process.env.TEST_ALLOW_UNLOCKED === '1'

const crypto = createNativeCrypto({ mode: 'required', allowUnlocked })
const options = {
  service: 's',
  product: 'p',
  metastore: createFakeMetastore(),
  kms: createFakeKms(),
  crypto,
  policy: { missingKeyRetryMs: 0 },
}
const session = new SessionFactory(options).getSession('x')
const good = await session.encryptToJson(Buffer.from('payload'))

let state = 99
const random = (below: number): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  return state % below
}
const odd = ['€', '\ud800', '\u0000', '"', '\\', '{', '}', 'é', '\u0141', '=', '-', ' ', '9', 'A']
const counts: Record<string, number> = {}
for (let i = 0; i < 20_000; i += 1) {
  const at = random(good.length)
  const cut = random(4)
  const text = good.slice(0, at) + (odd[random(odd.length)] ?? '') + good.slice(at + cut)
  const input = random(2) === 0 ? text : Buffer.from(text)
  try {
    await session.decrypt(input)
    counts.opened = (counts.opened ?? 0) + 1
  } catch (error) {
    if (!(error instanceof AsherahError)) throw error
    counts[error.code] = (counts[error.code] ?? 0) + 1
  }
}
const still = Buffer.from(await session.decrypt(good)).toString()
console.log(JSON.stringify({ counts, still }))
