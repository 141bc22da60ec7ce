//! One row: a fresh data row key, the payload under it, and it under the intermediate key.

use super::Vault;
use super::core_page::RowRandom;
use crate::aead::{CONTEXT, Context, Input, KEY, WRAPPED};
use crate::fault::{Fault, Outcome};
use crate::keys::Handle;
use crate::rows::template::Template;
use crate::wipe::WipeAtEnd;

impl Vault {
    /// Encrypts a payload: 60 bytes to `wrapped`, and 28 more than it has to `data`.
    pub fn seal_row(
        &mut self,
        handle: Handle,
        plaintext: Input<'_>,
        wrapped: &mut [u8],
        data: &mut [u8],
    ) -> Outcome<()> {
        let contents = self.contents()?.as_ptr();
        let parent = self.expand(handle)?;
        // SAFETY: the generator, the row's random bytes and its context are different parts of the page, ours alone, and
        // wiped at the end of the scope. No reference to one of them is kept beyond its line.
        unsafe {
            let random = &raw mut (*contents).row_random;
            let _wipe = WipeAtEnd::new(random.cast(), size_of::<RowRandom>());
            (*contents).random.fill(core::slice::from_raw_parts_mut(random.cast(), size_of::<RowRandom>()))?;
            parent.context().seal(Input::new((&raw const (*random).key).cast(), KEY), &(*random).key_nonce, wrapped)?;
            let row = &raw mut (*contents).row;
            let _wipe_row = WipeAtEnd::new(row.cast(), CONTEXT);
            Context::init(row, (&raw const (*random).key).cast())?;
            (*row).seal(plaintext, &(*random).data_nonce, data)
        }
    }

    /// Decrypts a payload into `room` bytes at `plaintext`: 28 fewer than `data` has.
    ///
    /// # Safety
    ///
    /// `room` bytes from `plaintext` are writable, and are not part of `data`.
    pub unsafe fn open_row(
        &mut self,
        handle: Handle,
        wrapped: &[u8],
        data: &[u8],
        plaintext: *mut u8,
        room: usize,
    ) -> Outcome<()> {
        let contents = self.contents()?.as_ptr();
        if wrapped.len() != WRAPPED {
            return Err(Fault::WrappedLength);
        }
        let parent = self.expand(handle)?;
        // SAFETY: as in `seal_row`; the caller promised the room for the plaintext.
        unsafe {
            let key = &raw mut (*contents).key;
            let _wipe = WipeAtEnd::new(key.cast(), KEY);
            parent.context().open_to(wrapped, key.cast(), KEY)?;
            let row = &raw mut (*contents).row;
            let _wipe_row = WipeAtEnd::new(row.cast(), CONTEXT);
            Context::init(row, key.cast())?;
            (*row).open_to(data, plaintext, room)
        }
    }

    /// Whether a key is there.
    pub fn check_key(&mut self, handle: Handle) -> Outcome<()> {
        self.contents()?;
        self.keys.get(handle).map(|_| ())
    }

    /// What the text of all rows under a key shares.
    pub fn template(&mut self, handle: Handle) -> Outcome<&Template> {
        self.contents()?;
        self.keys.get(handle)?.template.as_deref().ok_or(Fault::Argument)
    }
}
