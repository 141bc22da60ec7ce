//! A run of pages between two guard pages, with a canary at each end.

use core::ptr::{self, NonNull};

use super::accounting::{self, Lock, Purpose};
use super::system;
use crate::fault::{Fault, Outcome};
use crate::wipe::wipe_raw;

/// Bytes of a canary. A multiple of the strictest alignment that is asked of what follows it.
pub const CANARY: usize = 64;

/// Random bytes that an overflow into them would change.
pub type Canary = [u8; CANARY];

/// Whether memory that cannot be locked will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockRule {
    /// It must be locked.
    Required(Purpose),
    /// It should be.
    Wanted(Purpose),
}

/// What holds for a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protections {
    /// It is not swapped.
    pub locked: bool,
    /// The system's own count says so too.
    pub lock_verified: bool,
    /// It is in no core dump.
    pub out_of_dumps: bool,
    /// A forked child does not have its contents.
    pub kept_from_children: bool,
}

impl Protections {
    /// What no region falls short of.
    pub const ALL: Self = Self { locked: true, lock_verified: true, out_of_dumps: true, kept_from_children: true };

    /// What holds for two.
    pub fn and(self, other: Self) -> Self {
        Self {
            locked: self.locked && other.locked,
            lock_verified: self.lock_verified && other.lock_verified,
            out_of_dumps: self.out_of_dumps && other.out_of_dumps,
            kept_from_children: self.kept_from_children && other.kept_from_children,
        }
    }
}

/// The pages. Zero at first; wiped, unlocked and given back when dropped.
pub struct Region {
    reserved: NonNull<u8>,
    reserved_len: usize,
    pages: NonNull<u8>,
    pages_len: usize,
    canary: Canary,
    protections: Protections,
    /// How many forks there had been: a child has zeroes here, or no pages.
    forks: u32,
}

impl Region {
    /// A region with at least `bytes` that can be used.
    pub fn new(bytes: usize, rule: LockRule, canary: &Canary) -> Outcome<Self> {
        let page = system::page_size();
        let canaries = CANARY.checked_mul(2).ok_or(Fault::OutOfMemory)?;
        let pages_len = bytes
            .checked_add(canaries)
            .and_then(|needed| needed.checked_next_multiple_of(page))
            .ok_or(Fault::OutOfMemory)?;
        let guards = page.checked_mul(2).ok_or(Fault::OutOfMemory)?;
        let reserved_len = pages_len.checked_add(guards).ok_or(Fault::OutOfMemory)?;
        let reserved = system::reserve(reserved_len).ok_or(Fault::OutOfMemory)?;
        // SAFETY: the first guard page is part of the reservation.
        let pages = unsafe { reserved.add(page) };
        let none = Protections { locked: false, lock_verified: false, out_of_dumps: false, kept_from_children: false };
        // From here on, dropping it gives the reservation back.
        let forks = system::fork_count();
        let mut region =
            Self { reserved, reserved_len, pages, pages_len: 0, canary: *canary, protections: none, forks };
        // SAFETY: the pages lie between the two guard pages of the reservation.
        if !unsafe { system::open_up(pages, pages_len) } {
            return Err(Fault::OutOfMemory);
        }
        region.pages_len = pages_len;
        region.protect(rule)?;
        for place in region.canary_places() {
            // SAFETY: both places lie within the pages, which are writable.
            unsafe { ptr::copy_nonoverlapping(canary.as_ptr(), place.as_ptr(), CANARY) };
        }
        Ok(region)
    }

    fn protect(&mut self, rule: LockRule) -> Outcome<()> {
        let (purpose, required) = match rule {
            LockRule::Required(purpose) => (purpose, true),
            LockRule::Wanted(purpose) => (purpose, false),
        };
        // SAFETY: the pages are part of the reservation. Advice is given before the pages have contents.
        let (out_of_dumps, kept_from_children, lock) = unsafe {
            (
                system::leave_out_of_dumps(self.pages, self.pages_len),
                system::keep_from_children(self.pages, self.pages_len),
                accounting::lock(self.pages, self.pages_len, purpose),
            )
        };
        let locked = lock != Lock::Refused;
        self.protections =
            Protections { locked, lock_verified: lock == Lock::Verified, out_of_dumps, kept_from_children };
        if locked || !required { Ok(()) } else { Err(Fault::LockLimit) }
    }

    /// Where the bytes between the canaries start. Aligned to 64 bytes.
    pub fn start(&self) -> NonNull<u8> {
        // SAFETY: the pages are longer than the first canary.
        unsafe { self.pages.add(CANARY) }
    }

    /// How many bytes there are between the canaries.
    pub fn len(&self) -> usize {
        self.pages_len.saturating_sub(CANARY.saturating_mul(2))
    }

    /// What holds for it.
    pub fn protections(&self) -> Protections {
        self.protections
    }

    /// False when something wrote over a canary.
    pub fn is_intact(&self) -> bool {
        self.canary_places().into_iter().all(|place| {
            // SAFETY: both places lie within the pages, which are readable; nobody writes to a canary after `new`.
            unsafe { place.cast::<Canary>().read_unaligned() == self.canary }
        })
    }

    fn canary_places(&self) -> [NonNull<u8>; 2] {
        // SAFETY: a region has room for two canaries.
        [self.pages, unsafe { self.pages.add(self.pages_len.saturating_sub(CANARY)) }]
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.forks != system::fork_count() {
            return;
        }
        // SAFETY: whoever owns the region uses its pages no more; pages_len is 0 when they were never opened up.
        unsafe {
            wipe_raw(self.pages.as_ptr(), self.pages_len);
            if self.protections.locked {
                accounting::unlock(self.pages, self.pages_len);
            }
            system::release(self.reserved, self.reserved_len);
        }
    }
}
