// Secrets that tests use and nothing may show: `tooling/leak-scan` looks for them while the tests run, and the last step of
// `.ci/run` in what is printed (`tooling/seeded-markers.txt` holds the same values). Typed as text, not as their values, so
// that no report of the API prints them.

/** The password of every server that the launchers start, and the secret key of the AWS stand-ins. */
export const SEEDED_SECRET: string = 'seeded0S3cret0that0nobody0prints'

/** A static master key: 32 bytes of ASCII. */
export const SEEDED_MASTER_KEY: string = 'seededMasterKeyThatNobodyPrints!'

/** {@link SEEDED_MASTER_KEY} as 64 hexadecimal digits. */
export const SEEDED_MASTER_KEY_HEX: string = '7365656465644d61737465724b6579546861744e6f626f64795072696e747321'

/** {@link SEEDED_MASTER_KEY} in base64. */
export const SEEDED_MASTER_KEY_BASE64: string = 'c2VlZGVkTWFzdGVyS2V5VGhhdE5vYm9keVByaW50cyE='

/** The account of ARNs that tests make up: one of those that AWS keeps for examples. */
export const SEEDED_ACCOUNT: string = '111122223333'

/** A text to encrypt. */
export const SEEDED_PLAINTEXT: string = 'seededPlaintextThatNobodyPrints'
