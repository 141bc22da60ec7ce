//! Random bytes. Small draws come from ChaCha20 with fast key erasure, whose state lives in the provider's locked page: it
//! is in no core dump, a forked child has zeroes in its place, and it takes in fresh bytes of the system every 7.5 KiB.

use aws_lc_sys::CRYPTO_chacha_20;

use crate::fault::{Fault, Outcome};
use crate::wipe::{WipeAtEnd, wipe};

const SEED: usize = 32;
/// Eight blocks of ChaCha20: what vector code makes at once.
const STREAM: usize = 512;
/// What one refill gives out.
const SERVED: usize = STREAM - SEED;
/// Refills between two draws from the system.
const REFILLS: u32 = 16;

/// The generator's state: zeroes are a state that has yet to ask the system.
#[repr(C)]
pub struct Random {
    /// The next key, then bytes that are served once and zeroed.
    stream: [u8; STREAM],
    /// How many bytes of the stream's second part are left, at its end.
    left: usize,
    /// Refills until the system is asked again.
    refills_left: u32,
    /// Ask the system each time.
    unpooled: bool,
}

/// Bytes straight from the system.
pub fn system_random(target: &mut [u8]) -> Outcome<()> {
    getrandom::fill(target).map_err(|_| Fault::Random)
}

impl Random {
    /// For a place that is zero.
    pub fn set_unpooled(&mut self, unpooled: bool) {
        self.unpooled = unpooled;
    }

    /// Fills `target`.
    pub fn fill(&mut self, target: &mut [u8]) -> Outcome<()> {
        if self.unpooled || target.len() > SERVED {
            return system_random(target);
        }
        if self.left < target.len() {
            self.refill()?;
        }
        let from = STREAM.saturating_sub(self.left);
        let to = from.checked_add(target.len()).ok_or(Fault::Argument)?;
        let served = self.stream.get_mut(from..to).ok_or(Fault::Argument)?;
        target.copy_from_slice(served);
        wipe(served);
        self.left = self.left.saturating_sub(target.len());
        Ok(())
    }

    fn refill(&mut self) -> Outcome<()> {
        let (seed, rest) = self.stream.split_first_chunk_mut::<SEED>().ok_or(Fault::Argument)?;
        if self.refills_left == 0 {
            let mut fresh = [0; SEED];
            // SAFETY: `fresh` outlives the guard, which was made after it.
            let _wipe = unsafe { WipeAtEnd::new(fresh.as_mut_ptr(), SEED) };
            system_random(&mut fresh)?;
            for (old, new) in seed.iter_mut().zip(fresh) {
                *old ^= new;
            }
            self.refills_left = REFILLS;
        }
        self.refills_left = self.refills_left.saturating_sub(1);
        self.left = 0;
        wipe(rest);
        let mut key = *seed;
        // SAFETY: `key` outlives the guard, which was made after it.
        let _wipe = unsafe { WipeAtEnd::new(key.as_mut_ptr(), SEED) };
        wipe(seed);
        let nonce = [0; 12];
        let stream = self.stream.as_mut_ptr();
        // SAFETY: input and output are the same STREAM bytes, which is allowed; they are zero, so the keystream stays there.
        // A key is used for one stream only, so the nonce may be constant.
        unsafe { CRYPTO_chacha_20(stream, stream, STREAM, key.as_ptr(), nonce.as_ptr(), 0) };
        self.left = SERVED;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn zeroed() -> Box<Random> {
        Box::new(Random { stream: [0; STREAM], left: 0, refills_left: 0, unpooled: false })
    }

    #[test]
    fn every_draw_is_fresh_and_served_bytes_are_gone() {
        for unpooled in [false, true] {
            let mut random = zeroed();
            random.set_unpooled(unpooled);
            let mut seen = HashSet::new();
            for len in (0..2_000).map(|i| 12 + i % 45) {
                let mut bytes = vec![0; len];
                random.fill(&mut bytes).unwrap();
                assert!(seen.insert(bytes[..12].to_vec()), "a repetition");
                if !unpooled {
                    let from = STREAM - random.left - len;
                    assert!(random.stream[from..from + len].iter().all(|byte| *byte == 0), "served bytes stayed");
                }
            }
        }
    }

    #[test]
    fn two_generators_differ_and_bits_are_even() {
        let (mut a, mut b) = (zeroed(), zeroed());
        let (mut one, mut two) = ([0; 480], [0; 480]);
        a.fill(&mut one).unwrap();
        b.fill(&mut two).unwrap();
        assert_ne!(one, two);
        let mut ones = 0;
        for _ in 0..200 {
            a.fill(&mut one).unwrap();
            ones += one.iter().map(|byte| byte.count_ones()).sum::<u32>();
        }
        // 768,000 bits: ten standard deviations are 4,382.
        assert!(ones.abs_diff(384_000) < 4_382, "{ones} ones");
    }

    #[test]
    fn a_draw_longer_than_the_pool_comes_from_the_system() {
        let mut random = zeroed();
        let mut bytes = vec![0; 5_000];
        random.fill(&mut bytes).unwrap();
        assert!(bytes.chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }

    #[test]
    fn the_key_is_erased_and_the_system_is_asked_again() {
        let mut random = zeroed();
        let mut bytes = [0; SERVED];
        random.fill(&mut bytes).unwrap();
        let first_key = random.stream[..SEED].to_vec();
        let mut asked = 0;
        for _ in 0..40 {
            let before = random.refills_left;
            random.fill(&mut bytes).unwrap();
            if random.refills_left > before {
                asked += 1;
            }
            assert_ne!(first_key, random.stream[..SEED], "the key stayed");
        }
        assert_eq!(asked, 2);
    }
}
