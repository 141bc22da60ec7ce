//! Overwriting memory so that the compiler cannot leave it out.

use aws_lc_sys::OPENSSL_cleanse;

/// Zeroes memory.
///
/// # Safety
///
/// `len` bytes from `start` are writable, and nobody else reads or writes them meanwhile.
pub unsafe fn wipe_raw(start: *mut u8, len: usize) {
    // SAFETY: the caller's promise is what OPENSSL_cleanse asks for.
    unsafe { OPENSSL_cleanse(start.cast(), len) }
}

/// Zeroes a slice.
pub fn wipe(bytes: &mut [u8]) {
    // SAFETY: a mutable slice is writable, and ours alone.
    unsafe { wipe_raw(bytes.as_mut_ptr(), bytes.len()) }
}

/// Memory that is zeroed at the end of a scope, whatever the way out of it.
pub struct WipeAtEnd {
    start: *mut u8,
    len: usize,
}

impl WipeAtEnd {
    /// # Safety
    ///
    /// `len` bytes from `start` stay writable until this is dropped, and nobody uses them at that moment.
    pub unsafe fn new(start: *mut u8, len: usize) -> Self {
        Self { start, len }
    }
}

impl Drop for WipeAtEnd {
    fn drop(&mut self) {
        // SAFETY: promised to `new`.
        unsafe { wipe_raw(self.start, self.len) }
    }
}
