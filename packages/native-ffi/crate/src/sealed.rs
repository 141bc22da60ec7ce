//! Keys beyond the locked-memory limit: encrypted in ordinary memory, under a key that is locked.

use crate::aead::{Context, Input, KEY, NONCE, WRAPPED};
use crate::fault::{Fault, Outcome};

/// The encrypted keys.
#[derive(Default)]
pub struct Sealed {
    blobs: Vec<[u8; WRAPPED]>,
    free: Vec<u32>,
    /// Counts nonces: the coffer's key is this provider's alone, and used for nothing else.
    nonces: u64,
    open: usize,
}

impl Sealed {
    /// How many keys there are.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Encrypts a key: where it is now.
    pub fn put(&mut self, coffer: &Context, key: Input<'_>) -> Outcome<u32> {
        self.nonces = self.nonces.checked_add(1).ok_or(Fault::OutOfMemory)?;
        let mut nonce = [0; NONCE];
        for (target, byte) in nonce.iter_mut().zip(self.nonces.to_le_bytes()) {
            *target = byte;
        }
        let mut blob = [0; WRAPPED];
        coffer.seal(key, &nonce, &mut blob)?;
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.blobs.try_reserve(1).map_err(|_| Fault::OutOfMemory)?;
                self.free.try_reserve(1).map_err(|_| Fault::OutOfMemory)?;
                self.blobs.push(blob);
                u32::try_from(self.blobs.len().saturating_sub(1)).map_err(|_| Fault::OutOfMemory)?
            }
        };
        *self.blob(place)? = blob;
        self.open = self.open.saturating_add(1);
        Ok(place)
    }

    /// Decrypts a key into `key`.
    pub fn open_into(&mut self, coffer: &Context, place: u32, key: &mut [u8; KEY]) -> Outcome<()> {
        // Only memory that was overwritten fails to authenticate.
        coffer.open(self.blob(place)?, key).map_err(|_| Fault::Damaged)
    }

    /// Forgets a key.
    pub fn remove(&mut self, place: u32) {
        if let Ok(blob) = self.blob(place) {
            *blob = [0; WRAPPED];
            self.free.push(place);
            self.open = self.open.saturating_sub(1);
        }
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.blobs = Vec::new();
        self.free = Vec::new();
        self.open = 0;
    }

    fn blob(&mut self, place: u32) -> Outcome<&mut [u8; WRAPPED]> {
        usize::try_from(place).ok().and_then(|place| self.blobs.get_mut(place)).ok_or(Fault::Damaged)
    }
}
