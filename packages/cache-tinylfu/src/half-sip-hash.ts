/** 64 bits of key or of hash, as two unsigned 32-bit words. */
export interface TwoWords {
  readonly low: number
  readonly high: number
}

/**
 * HalfSipHash-2-4 with 64 bits of output (Aumasson and Bernstein) over the UTF-16 code units of a text, low byte first.
 *
 * Keyed: who chooses the texts but does not know the key cannot make them collide, as one can with MurmurHash under any seed.
 */
export function halfSipHash(text: string, { low: key0, high: key1 }: TwoWords): TwoWords {
  const words = text.length >>> 1
  const rest = text.length % 2 === 1 ? text.charCodeAt(text.length - 1) : 0
  const last = rest | ((text.length * 2) << 24)
  let v0 = key0 | 0
  let v1 = key1 ^ 0xee
  let v2 = 0x6c796765 ^ key0
  let v3 = 0x74656462 ^ key1
  let low = 0
  // The words, the block with the length, and the two ends, one for each half of the output.
  for (let block = 0; block <= words + 2; block++) {
    let word = 0
    if (block < words) word = text.charCodeAt(block * 2) | (text.charCodeAt(block * 2 + 1) << 16)
    else if (block === words) word = last
    else if (block === words + 1) v2 ^= 0xee
    else {
      low = (v1 ^ v3) >>> 0
      v1 ^= 0xdd
    }
    v3 ^= word
    const rounds = block > words ? 4 : 2
    for (let round = 0; round < rounds; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    v0 ^= word
  }
  return { low, high: (v1 ^ v3) >>> 0 }
}
