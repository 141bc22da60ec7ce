//! One provider's keys: made, taken in, shown, wrapped, and used for rows.

mod core_page;
#[cfg(any(test, feature = "test-hooks"))]
mod damage;
mod expand;
mod report;
mod row;
mod work;

#[cfg(test)]
mod tests;

use core::ptr::NonNull;

use crate::aead::{Input, KEY, NONCE, WRAPPED};
use crate::contexts::Contexts;
use crate::fault::{Fault, Outcome};
use crate::keys::{Handle, Home, Keys};
use crate::memory::{self, Canary, LockRule, Purpose};
use crate::random::system_random;
use crate::rows::template::Template;
use crate::sealed::Sealed;
use crate::slab::{Slab, Slot};
use crate::wipe::WipeAtEnd;
use core_page::{Contents, CorePage};

pub use report::Report;
pub use work::Work;

/// Keys that are refused locked memory before the system is asked again: others may have given some back.
const PATIENCE: u32 = 1_024;

/// How a provider behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// At the lock limit, refuse keys rather than encrypt them.
    pub throw_at_limit: bool,
    /// Go on where not even one page can be locked.
    pub allow_unlocked: bool,
    /// Ask the system for the random bytes of each row.
    pub unpooled_random: bool,
}

/// The keys of one provider. Used by one thread.
pub struct Vault {
    core: Option<CorePage>,
    rules: Rules,
    page: usize,
    canary: Canary,
    keys: Keys,
    slab: Slab,
    contexts: Contexts,
    sealed: Sealed,
    patience: u32,
    forks: u32,
    closed: bool,
    works: usize,
}

impl Vault {
    /// An empty vault.
    pub fn new(rules: Rules) -> Outcome<Self> {
        memory::watch_forks();
        let mut canary = [0; memory::CANARY];
        system_random(&mut canary)?;
        let core = CorePage::new(rules.allow_unlocked, rules.unpooled_random, &canary)?;
        let purpose = if rules.throw_at_limit { Purpose::OnlyLockedKeys } else { Purpose::Keys };
        // Where nothing can be locked, and that was allowed, encrypting keys would add nothing.
        let rule = if core.protections().locked { LockRule::Required } else { LockRule::Wanted };
        let contents = core.contents().as_ptr();
        // SAFETY: the contents have two contexts to spare, which only `contexts` uses from here on.
        let spare = unsafe {
            let first = NonNull::new_unchecked(&raw mut (*contents).spare).cast();
            [first, first.add(1)]
        };
        let contexts = Contexts::new(&spare, rule(Purpose::Contexts));
        Ok(Self {
            core: Some(core),
            rules,
            page: memory::page_size(),
            canary,
            keys: Keys::default(),
            slab: Slab::new(rule(purpose)),
            contexts,
            sealed: Sealed::default(),
            patience: 0,
            forks: memory::fork_count(),
            closed: false,
            works: 0,
        })
    }

    /// A new random key.
    pub fn generate(&mut self) -> Outcome<Handle> {
        let contents = self.contents()?.as_ptr();
        // SAFETY: the contents are ours; the key is wiped at the end of the scope.
        unsafe {
            let key = &raw mut (*contents).key;
            let _wipe = WipeAtEnd::new(key.cast(), KEY);
            (*contents).random.fill(&mut *key)?;
            self.admit(Input::new(key.cast(), KEY))
        }
    }

    /// Takes a key in. The caller wipes what it gave.
    pub fn import(&mut self, key: Input<'_>) -> Outcome<Handle> {
        self.contents()?;
        if key.len() != KEY {
            return Err(Fault::KeyLength);
        }
        self.admit(key)
    }

    /// Copies a key out. The caller wipes what it got.
    pub fn export(&mut self, handle: Handle, target: &mut [u8]) -> Outcome<()> {
        let contents = self.contents()?.as_ptr();
        if target.len() != KEY {
            return Err(Fault::KeyLength);
        }
        // SAFETY: the room for a key is ours, and wiped at the end of the scope.
        let _wipe = unsafe { WipeAtEnd::new((&raw mut (*contents).key).cast(), KEY) };
        self.key_bytes(handle)?.copy_to(target)
    }

    /// Encrypts a key under another: 60 bytes.
    pub fn wrap(&mut self, handle: Handle, parent: Handle, wrapped: &mut [u8]) -> Outcome<()> {
        let contents = self.contents()?.as_ptr();
        let parent = self.expand(parent)?;
        let mut nonce = [0; NONCE];
        // SAFETY: the generator and the room for a key are ours; the key is wiped at the end of the scope.
        let _wipe = unsafe {
            (*contents).random.fill(&mut nonce)?;
            WipeAtEnd::new((&raw mut (*contents).key).cast(), KEY)
        };
        let key = self.key_bytes(handle)?;
        parent.context().seal(key, &nonce, wrapped)
    }

    /// Takes a wrapped key in.
    pub fn unwrap(&mut self, wrapped: &[u8], parent: Handle) -> Outcome<Handle> {
        let contents = self.contents()?.as_ptr();
        if wrapped.len() != WRAPPED {
            return Err(Fault::WrappedLength);
        }
        let parent = self.expand(parent)?;
        // SAFETY: the room for a key is ours, and wiped at the end of the scope.
        unsafe {
            let key = &raw mut (*contents).key;
            let _wipe = WipeAtEnd::new(key.cast(), KEY);
            parent.context().open_to(wrapped, key.cast(), KEY)?;
            drop(parent);
            self.admit(Input::new(key.cast(), KEY))
        }
    }

    /// Wipes a key. False: it was closed before.
    pub fn close_key(&mut self, handle: Handle) -> bool {
        if self.contents().is_err() {
            return false;
        }
        let Some(entry) = self.keys.remove(handle) else { return false };
        self.contexts.forget_key(entry.context, handle.index());
        match entry.home {
            // SAFETY: the slot was taken for this key, which the table no longer has.
            Home::Locked(slot) => unsafe { self.slab.give_back(slot) },
            Home::Sealed(place) => self.sealed.remove(place),
        }
        true
    }

    /// Sets what the text of all rows under a key shares.
    pub fn set_template(&mut self, handle: Handle, template: Template) -> Outcome<()> {
        self.contents()?;
        self.keys.get(handle)?.template = Some(Box::new(template));
        Ok(())
    }

    /// Wipes every key. Work on other threads ends first with its own: false when a canary was overwritten.
    pub fn close(&mut self) -> bool {
        if self.closed {
            return true;
        }
        let in_child = self.contents().is_err();
        let intact = in_child || self.is_intact();
        self.closed = true;
        self.keys.clear();
        self.sealed.clear();
        self.slab.clear();
        if !in_child {
            self.contexts.wipe_keys();
            if let Some(core) = &self.core {
                core.wipe();
            }
        }
        self.release_when_idle();
        intact
    }

    /// True once every key is wiped.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn is_intact(&self) -> bool {
        self.slab.is_intact() && self.contexts.is_intact() && self.core.as_ref().is_none_or(CorePage::is_intact)
    }

    /// What every call needs; refused after a close and after a fork.
    fn contents(&self) -> Outcome<NonNull<Contents>> {
        let Some(core) = self.core.as_ref().filter(|_| !self.closed) else { return Err(Fault::ProviderClosed) };
        if self.forks != memory::fork_count() || !core.is_alive() {
            return Err(Fault::Forked);
        }
        Ok(core.contents())
    }

    fn release_when_idle(&mut self) {
        if self.closed && self.works == 0 {
            self.contexts.clear();
            self.core = None;
        }
    }

    /// Gives a key a home and a handle.
    fn admit(&mut self, key: Input<'_>) -> Outcome<Handle> {
        let handle = self.keys.next()?;
        let home = match self.take_slot() {
            Ok(slot) => {
                // SAFETY: the slot was just taken; `key` has 32 bytes, as every caller has checked.
                unsafe { Slot::put(slot, key.start(), self.mark(handle)?) };
                Home::Locked(slot)
            }
            Err(Fault::LockLimit) if !self.rules.throw_at_limit => {
                let contents = self.contents()?.as_ptr();
                // SAFETY: the coffer's context was made with the page.
                Home::Sealed(self.sealed.put(unsafe { &(*contents).coffer }, key)?)
            }
            Err(fault) => return Err(fault),
        };
        self.keys.put(handle, home);
        Ok(handle)
    }

    fn take_slot(&mut self) -> Outcome<NonNull<Slot>> {
        if self.patience > 0 && !self.slab.has_free() {
            self.patience = self.patience.saturating_sub(1);
            return Err(Fault::LockLimit);
        }
        let slot = self.slab.take(self.page, &self.canary);
        if slot == Err(Fault::LockLimit) && !self.rules.throw_at_limit {
            self.patience = PATIENCE;
        }
        slot
    }

    /// What stands behind the key of a handle in its slot.
    fn mark(&self, handle: Handle) -> Outcome<u64> {
        let contents = self.contents()?.as_ptr();
        // SAFETY: the mark is written once, when the page is made.
        Ok(unsafe { (&raw const (*contents).mark).read() } ^ handle.bits())
    }

    /// A key's bytes: where they are, or a copy in the page's room for a key, which the caller wipes. To be used before
    /// anything else happens to the vault.
    fn key_bytes(&mut self, handle: Handle) -> Outcome<Input<'static>> {
        let contents = self.contents()?.as_ptr();
        let mark = self.mark(handle)?;
        match self.keys.get(handle)?.home {
            // SAFETY: the table's slots are valid; the caller uses the bytes before anything changes.
            Home::Locked(slot) => unsafe { Ok(Input::new(Slot::key(slot, mark)?, KEY)) },
            Home::Sealed(place) => {
                // SAFETY: the room for a key and the coffer are different parts of the page, and ours.
                unsafe {
                    let key = &raw mut (*contents).key;
                    self.sealed.open_into(&(*contents).coffer, place, &mut *key)?;
                    Ok(Input::new(key.cast(), KEY))
                }
            }
        }
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.close();
    }
}
