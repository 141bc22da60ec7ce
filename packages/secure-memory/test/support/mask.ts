/** The child tells its keys as key xor mask, so that telling them puts no key bytes into its memory. */
export const MASK = 0x5a
