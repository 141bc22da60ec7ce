//! A key as AES-GCM wants it: expanded once and kept, for keys in the slab; expanded for one call, for encrypted keys, so
//! that an idle one is nowhere in the clear.

use core::ptr::NonNull;

use super::Vault;
use crate::aead::{Context, KEY};
use crate::fault::Outcome;
use crate::keys::{Handle, Home};
use crate::slab::Slot;
use crate::wipe::WipeAtEnd;

/// A key that can seal and open, until something else happens to its vault.
pub(super) struct Expanded {
    context: NonNull<Context>,
    temporary: bool,
}

impl Expanded {
    pub(super) fn context(&self) -> &Context {
        // SAFETY: the context was made by `expand`, and its place is not given to another key before the next `expand`.
        unsafe { self.context.as_ref() }
    }
}

impl Drop for Expanded {
    fn drop(&mut self) {
        if self.temporary {
            // SAFETY: the page's context for parents is used by one call at a time, and this is its end.
            unsafe { Context::wipe(self.context.as_ptr()) }
        }
    }
}

impl Vault {
    /// The key of a handle, expanded.
    pub(super) fn expand(&mut self, handle: Handle) -> Outcome<Expanded> {
        let contents = self.contents()?;
        let entry = self.keys.get(handle)?;
        let (home, known) = (entry.home, entry.context);
        let slot = match home {
            Home::Locked(slot) => slot,
            Home::Sealed(place) => {
                // SAFETY: the coffer, the room for a key and the context for parents are different parts of the page, and
                // ours; the key is wiped at the end of the scope, the context when `Expanded` is dropped.
                unsafe {
                    let contents = contents.as_ptr();
                    let key = &raw mut (*contents).key;
                    let _wipe = WipeAtEnd::new(key.cast(), KEY);
                    self.sealed.open_into(&(*contents).coffer, place, &mut *key)?;
                    let context = NonNull::new_unchecked(&raw mut (*contents).parent);
                    Context::init(context.as_ptr(), key.cast())?;
                    return Ok(Expanded { context, temporary: true });
                }
            }
        };
        if let Some(context) = self.contexts.of_key(known, handle.index()) {
            return Ok(Expanded { context, temporary: false });
        }
        let mark = self.mark(handle)?;
        // SAFETY: the table's slots are valid.
        let key = unsafe { Slot::key(slot, mark)? };
        let Some((place, context)) = self.contexts.take_for_key(handle.index(), self.page, &self.canary) else {
            // Every place is lent to other threads.
            // SAFETY: as for an encrypted key.
            unsafe {
                let context = NonNull::new_unchecked(&raw mut (*contents.as_ptr()).parent);
                Context::init(context.as_ptr(), key)?;
                return Ok(Expanded { context, temporary: true });
            }
        };
        // SAFETY: the place is this key's now.
        let made = unsafe { Context::init(context.as_ptr(), key) };
        if made.is_err() {
            self.contexts.give_back(place);
        }
        made?;
        self.keys.get(handle)?.context = place;
        Ok(Expanded { context, temporary: false })
    }
}
