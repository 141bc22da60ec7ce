//! Keys side by side in locked pages.

use core::ptr::{self, NonNull};

use crate::aead::KEY;
use crate::fault::{Fault, Outcome};
use crate::memory::{CANARY, Canary, LockRule, Region};
use crate::wipe::wipe_raw;

/// A key and a mark that only its owner's handle gives.
#[repr(C)]
pub struct Slot {
    key: [u8; KEY],
    mark: u64,
}

const SLOT: usize = size_of::<Slot>();
/// Pages of the largest chunk; the first has one, and each one twice as many as the one before.
const MOST_PAGES: usize = 64;

/// The chunks.
pub struct Slab {
    chunks: Vec<Region>,
    free: Vec<NonNull<Slot>>,
    next_pages: usize,
    rule: LockRule,
}

impl Slab {
    /// An empty slab.
    pub fn new(rule: LockRule) -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), next_pages: 1, rule }
    }

    /// A place for a key. [`Fault::LockLimit`]: no more pages can be locked.
    pub fn take(&mut self, page: usize, canary: &Canary) -> Outcome<NonNull<Slot>> {
        if self.free.is_empty() {
            self.grow(page, canary)?;
        }
        self.free.pop().ok_or(Fault::OutOfMemory)
    }

    /// True when the next [`Self::take`] needs no more pages.
    pub fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    fn grow(&mut self, page: usize, canary: &Canary) -> Outcome<()> {
        let mut pages = self.next_pages;
        let chunk = loop {
            let bytes = pages.saturating_mul(page).saturating_sub(CANARY.saturating_mul(2));
            match Region::new(bytes, self.rule, canary) {
                Ok(chunk) => break chunk,
                // The limit may still have room for fewer pages.
                Err(Fault::LockLimit) if pages > 1 => pages /= 2,
                Err(fault) => return Err(fault),
            }
        };
        self.next_pages = pages.saturating_mul(2).min(MOST_PAGES);
        let count = chunk.len().checked_div(SLOT).unwrap_or(0);
        self.free.try_reserve(count).map_err(|_| Fault::OutOfMemory)?;
        for at in (0..count).rev() {
            // SAFETY: `count` slots fit into the chunk, whose start is aligned to 64 bytes; a slot's size is a multiple of
            // its alignment.
            self.free.push(unsafe { chunk.start().cast::<Slot>().add(at) });
        }
        self.chunks.push(chunk);
        Ok(())
    }

    /// Wipes a place and gives it back.
    ///
    /// # Safety
    ///
    /// The slot came from [`Self::take`] and is given back once.
    pub unsafe fn give_back(&mut self, slot: NonNull<Slot>) {
        // SAFETY: the slot lies in a chunk of ours.
        unsafe { wipe_raw(slot.as_ptr().cast(), SLOT) };
        self.free.push(slot);
    }

    /// Wipes and gives back every page. No slot is valid afterwards.
    pub fn clear(&mut self) {
        self.free = Vec::new();
        self.chunks = Vec::new();
    }

    /// False when a canary was overwritten.
    pub fn is_intact(&self) -> bool {
        self.chunks.iter().all(Region::is_intact)
    }

    /// The chunks.
    pub fn chunks(&self) -> impl Iterator<Item = &Region> {
        self.chunks.iter()
    }
}

impl Slot {
    /// Puts a key into a slot.
    ///
    /// # Safety
    ///
    /// The slot is valid; 32 bytes from `key` are readable.
    pub unsafe fn put(slot: NonNull<Self>, key: *const u8, mark: u64) {
        // SAFETY: promised by the caller; a key comes from elsewhere, so the two do not overlap.
        unsafe {
            ptr::copy_nonoverlapping(key, slot.as_ptr().cast(), KEY);
            (&raw mut (*slot.as_ptr()).mark).write(mark);
        }
    }

    /// Where the key is, if the mark behind it is still the one that was put there.
    ///
    /// # Safety
    ///
    /// The slot is valid.
    pub unsafe fn key(slot: NonNull<Self>, mark: u64) -> Outcome<*const u8> {
        // SAFETY: promised by the caller.
        let found = unsafe { (&raw const (*slot.as_ptr()).mark).read() };
        if found == mark { Ok(slot.as_ptr().cast()) } else { Err(Fault::Damaged) }
    }
}
