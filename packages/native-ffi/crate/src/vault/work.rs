//! Rows whose payload another thread encrypts or decrypts: that thread gets an expanded data row key, in a locked place of
//! its own, and nothing else of the vault.

use core::ptr::NonNull;

use super::Vault;
use super::core_page::RowRandom;
use crate::aead::{Context, Input, KEY, NONCE, WRAPPED};
use crate::fault::{Fault, Outcome};
use crate::keys::Handle;
use crate::wipe::WipeAtEnd;

/// A data row key that is lent out. It goes back with [`Vault::end_work`], on the vault's own thread.
pub struct Work {
    place: u32,
    context: NonNull<Context>,
}

impl Work {
    /// For the other thread.
    pub fn context(&self) -> &Context {
        // SAFETY: the place is this work's until `end_work`, which takes it by value.
        unsafe { self.context.as_ref() }
    }
}

// SAFETY: the context is only read while it is lent, and its memory outlives the loan: see `release_when_idle`.
unsafe impl Send for Work {}

/// For encrypting a payload.
pub struct SealWork {
    /// The data row key.
    pub work: Work,
    /// It, under the intermediate key.
    pub wrapped: [u8; WRAPPED],
    /// For the payload.
    pub nonce: [u8; NONCE],
}

impl Vault {
    /// A fresh data row key for another thread. None: no locked place is left for it, so this thread must do the work.
    pub fn begin_seal(&mut self, handle: Handle) -> Outcome<Option<SealWork>> {
        let contents = self.contents()?.as_ptr();
        // The place first: it may be the one where the parent is.
        let Some((place, context)) = self.contexts.take_for_work(self.page, &self.canary) else { return Ok(None) };
        self.works = self.works.saturating_add(1);
        let work = Work { place, context };
        let begun = self.expand(handle).and_then(|parent| {
            // SAFETY: as in `seal_row`; the place is this work's.
            unsafe {
                let random = &raw mut (*contents).row_random;
                let _wipe = WipeAtEnd::new(random.cast(), size_of::<RowRandom>());
                (*contents).random.fill(core::slice::from_raw_parts_mut(random.cast(), size_of::<RowRandom>()))?;
                let mut wrapped = [0; WRAPPED];
                let key = Input::new((&raw const (*random).key).cast(), KEY);
                parent.context().seal(key, &(*random).key_nonce, &mut wrapped)?;
                Context::init(context.as_ptr(), key.start())?;
                Ok((wrapped, (*random).data_nonce))
            }
        });
        match begun {
            Ok((wrapped, nonce)) => Ok(Some(SealWork { work, wrapped, nonce })),
            Err(fault) => {
                self.end_work(work);
                Err(fault)
            }
        }
    }

    /// The data row key of a row, for another thread. None: as in [`Self::begin_seal`].
    pub fn begin_open(&mut self, handle: Handle, wrapped: &[u8]) -> Outcome<Option<Work>> {
        let contents = self.contents()?.as_ptr();
        if wrapped.len() != WRAPPED {
            return Err(Fault::WrappedLength);
        }
        let Some((place, context)) = self.contexts.take_for_work(self.page, &self.canary) else { return Ok(None) };
        self.works = self.works.saturating_add(1);
        let work = Work { place, context };
        let begun = self.expand(handle).and_then(|parent| {
            // SAFETY: as in `open_row`; the place is this work's.
            unsafe {
                let key = &raw mut (*contents).key;
                let _wipe = WipeAtEnd::new(key.cast(), KEY);
                parent.context().open_to(wrapped, key.cast(), KEY)?;
                Context::init(context.as_ptr(), key.cast())
            }
        });
        match begun {
            Ok(()) => Ok(Some(work)),
            Err(fault) => {
                self.end_work(work);
                Err(fault)
            }
        }
    }

    /// Wipes what was lent. Also right after a close, when it may release the last pages.
    pub fn end_work(&mut self, work: Work) {
        self.contexts.give_back(work.place);
        self.works = self.works.saturating_sub(1);
        self.release_when_idle();
    }
}
