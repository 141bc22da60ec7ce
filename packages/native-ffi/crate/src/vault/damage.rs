//! Breaks things on purpose, for tests.

use super::Vault;
use crate::keys::{Handle, Home};

impl Vault {
    /// Writes over the first canary of the slab.
    pub fn damage_canary(&mut self) {
        if let Some(region) = self.slab.chunks().next() {
            // SAFETY: the canary is right before the region's start.
            unsafe { *region.start().sub(1).as_ptr() ^= 1 }
        }
    }

    /// Writes over what stands behind a key of the slab, and forgets its context.
    pub fn damage_key(&mut self, handle: Handle) {
        let Ok(entry) = self.keys.get(handle) else { return };
        let context = entry.context;
        if let Home::Locked(slot) = entry.home {
            // SAFETY: a slot is 40 bytes, of which the last eight are the mark.
            unsafe { *slot.cast::<u8>().add(39).as_ptr() ^= 1 }
        }
        self.contexts.forget_key(context, handle.index());
    }
}
