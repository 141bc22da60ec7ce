//! AES-256-GCM of AWS-LC, with contexts in memory of our choosing. A blob is ciphertext, tag (16 bytes), nonce (12 bytes).

use core::marker::PhantomData;
use core::mem::size_of;
use core::ptr;

use aws_lc_sys::{
    ERR_clear_error, EVP_AEAD_CTX, EVP_AEAD_CTX_init, EVP_AEAD_CTX_open, EVP_AEAD_CTX_seal, EVP_AEAD_CTX_zero,
    EVP_aead_aes_256_gcm,
};

use crate::fault::{Fault, Outcome};
use crate::wipe::wipe_raw;

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes of a nonce.
pub const NONCE: usize = 12;
/// Bytes of a tag.
pub const TAG: usize = 16;
/// What a blob has beside its plaintext.
pub const OVERHEAD: usize = TAG + NONCE;
/// Bytes of a wrapped key.
pub const WRAPPED: usize = KEY + OVERHEAD;

/// An expanded key, made in place and never moved: it knows its own alignment.
#[repr(C, align(64))]
pub struct Context(EVP_AEAD_CTX);

/// Bytes of a context.
pub const CONTEXT: usize = size_of::<Context>();

/// Bytes to read that JavaScript may own: shared memory can change meanwhile, so there is no slice of them.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    start: *const u8,
    len: usize,
    life: PhantomData<&'a [u8]>,
}

impl Input<'_> {
    /// # Safety
    ///
    /// `len` bytes from `start` stay readable for the life of the result. With a `len` of 0, `start` may be anything.
    pub unsafe fn new(start: *const u8, len: usize) -> Self {
        Self { start: if len == 0 { ptr::NonNull::dangling().as_ptr() } else { start }, len, life: PhantomData }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Where they start; not null.
    pub fn start(&self) -> *const u8 {
        self.start
    }

    /// A part of it.
    pub fn part(&self, from: usize, to: usize) -> Option<Self> {
        let len = to.checked_sub(from)?;
        if to > self.len {
            return None;
        }
        // SAFETY: from ≤ to ≤ len, so the part lies within what `new` was promised.
        Some(unsafe { Self::new(self.start.add(from), len) })
    }

    /// Copies it to `target`, which has the same length. Also right where another thread changes the bytes meanwhile.
    pub fn copy_to(&self, target: &mut [u8]) -> Outcome<()> {
        if target.len() != self.len {
            return Err(Fault::Argument);
        }
        // SAFETY: both have `len` bytes, and `target` is ours alone.
        unsafe { ptr::copy_nonoverlapping(self.start, target.as_mut_ptr(), self.len) }
        Ok(())
    }
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        // SAFETY: a slice is readable for its life.
        unsafe { Self::new(bytes.as_ptr(), bytes.len()) }
    }
}

impl Context {
    /// Expands the 32 bytes at `key` into `place`.
    ///
    /// # Safety
    ///
    /// `place` is aligned, writable and ours alone; 32 bytes from `key` are readable.
    pub unsafe fn init(place: *mut Self, key: *const u8) -> Outcome<()> {
        let inner: *mut EVP_AEAD_CTX = place.cast();
        // SAFETY: `place` holds a context; a zeroed one is what EVP_AEAD_CTX_init starts from.
        let done = unsafe {
            EVP_AEAD_CTX_zero(inner);
            EVP_AEAD_CTX_init(inner, EVP_aead_aes_256_gcm(), key, KEY, TAG, ptr::null_mut())
        };
        if done == 1 { Ok(()) } else { Err(refused(Fault::NodeApi)) }
    }

    /// Zeroes a context. The cleanup of AWS-LC's own does nothing for AES-GCM: there is nothing outside the struct.
    ///
    /// # Safety
    ///
    /// `place` is writable and nobody uses it meanwhile.
    pub unsafe fn wipe(place: *mut Self) {
        // SAFETY: promised by the caller.
        unsafe { wipe_raw(place.cast(), CONTEXT) }
    }

    /// Writes ciphertext, tag and nonce to `blob`, which has 28 bytes more than `plaintext`. The nonce must be fresh.
    pub fn seal(&self, plaintext: Input<'_>, nonce: &[u8; NONCE], blob: &mut [u8]) -> Outcome<()> {
        let Some((sealed, nonce_place)) = blob.split_last_chunk_mut::<NONCE>() else { return Err(Fault::Argument) };
        if sealed.len().checked_sub(TAG) != Some(plaintext.len()) {
            return Err(Fault::Argument);
        }
        let mut written = 0;
        // SAFETY: the context was initialised; the output has room for the plaintext and a tag; input and output do not
        // overlap, since `blob` is ours alone.
        let done = unsafe {
            EVP_AEAD_CTX_seal(
                &raw const self.0,
                sealed.as_mut_ptr(),
                &raw mut written,
                sealed.len(),
                nonce.as_ptr(),
                NONCE,
                plaintext.start(),
                plaintext.len(),
                ptr::null(),
                0,
            )
        };
        if done != 1 || written != sealed.len() {
            return Err(refused(Fault::TooLong));
        }
        *nonce_place = *nonce;
        Ok(())
    }

    /// Opens `blob` into `plaintext`, which has 28 bytes less. Where the tag does not verify, `plaintext` is zeroed.
    pub fn open(&self, blob: &[u8], plaintext: &mut [u8]) -> Outcome<()> {
        // SAFETY: a mutable slice is writable and ours alone.
        unsafe { self.open_to(blob, plaintext.as_mut_ptr(), plaintext.len()) }
    }

    /// As [`Self::open`], into memory that JavaScript owns.
    ///
    /// # Safety
    ///
    /// `room` bytes from `plaintext` are writable, and are not part of `blob`.
    pub unsafe fn open_to(&self, blob: &[u8], plaintext: *mut u8, room: usize) -> Outcome<()> {
        let Some((sealed, nonce)) = blob.split_last_chunk::<NONCE>() else { return Err(Fault::Authentication) };
        let Some(len) = sealed.len().checked_sub(TAG) else { return Err(Fault::Authentication) };
        if room != len {
            return Err(Fault::Argument);
        }
        let target = if len == 0 { ptr::NonNull::dangling().as_ptr() } else { plaintext };
        let mut written = 0;
        // SAFETY: the context was initialised; the caller promised `len` writable bytes that do not overlap the blob.
        let done = unsafe {
            EVP_AEAD_CTX_open(
                &raw const self.0,
                target,
                &raw mut written,
                len,
                nonce.as_ptr(),
                NONCE,
                sealed.as_ptr(),
                sealed.len(),
                ptr::null(),
                0,
            )
        };
        if done == 1 && written == len {
            return Ok(());
        }
        // AWS-LC zeroes what it refuses; unauthenticated bytes must not stay behind even if it should stop doing so.
        // SAFETY: as above.
        unsafe { wipe_raw(target, len) };
        Err(refused(Fault::Authentication))
    }
}

/// Empties the error queue of this thread, which nobody reads.
#[cold]
fn refused(fault: Fault) -> Fault {
    // SAFETY: takes nothing and is always allowed.
    unsafe { ERR_clear_error() }
    fault
}
