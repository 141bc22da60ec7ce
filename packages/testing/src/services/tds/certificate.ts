import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A key and a certificate that signs itself, in PEM: a client trusts it by taking `cert` as its only authority. */
export interface TestCertificate {
  readonly key: string
  readonly cert: string
}

const OID_COMMON_NAME = '550403'
const OID_ECDSA_SHA256 = '2a8648ce3d040302'
const OID_SUBJECT_ALT_NAME = '551d11'
const OID_BASIC_CONSTRAINTS = '551d13'

/**
 * Makes a certificate for `localhost` and 127.0.0.1 (or for other names), valid for a day: Node has no call for it.
 *
 * @param names DNS names; IP addresses are only 127.0.0.1.
 */
export function createTestCertificate(names: readonly string[] = ['localhost']): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = der(0x30, oid(OID_ECDSA_SHA256))
  const name = der(0x30, der(0x31, der(0x30, oid(OID_COMMON_NAME), der(0x0c, Buffer.from(names[0] ?? 'localhost')))))
  const alternatives = der(
    0x30,
    ...names.map((dns) => der(0x82, Buffer.from(dns))),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  )
  const extensions = der(
    0x30,
    der(0x30, oid(OID_SUBJECT_ALT_NAME), der(0x04, alternatives)),
    der(
      0x30,
      oid(OID_BASIC_CONSTRAINTS),
      der(0x01, Buffer.from([0xff])),
      der(0x04, der(0x30, der(0x01, Buffer.from([0xff])))),
    ),
  )
  const now = Date.now()
  const toBeSigned = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    der(0x30, time(now - 3_600_000), time(now + 86_400_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const signature = sign('sha256', toBeSigned, privateKey)
  const certificate = der(0x30, toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  }
}

/** One element: tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

/** UTCTime. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[^0-9]/g, '')
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}
