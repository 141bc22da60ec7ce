//! How much this process has locked through this library, and how much each purpose may lock.

use core::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::system;

/// What memory is locked for. A provider's own page must be had even when others have many keys: so these may only lock
/// while the process as a whole is below a share of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The page without which there is no provider.
    Core,
    /// Expanded keys, which only save time: half of the limit.
    Contexts,
    /// Keys that can be kept encrypted instead: three quarters of the limit.
    Keys,
    /// Keys that must be locked: all of it.
    OnlyLockedKeys,
}

/// Where there is no limit, this much.
const WITHOUT_LIMIT: u64 = 256 * 1024 * 1024;

static LOCKED: AtomicUsize = AtomicUsize::new(0);
static HIGH_WATER: AtomicUsize = AtomicUsize::new(0);
/// Held while pages are locked, unlocked or counted, so that the system's count and ours can be compared.
static TURN: Mutex<()> = Mutex::new(());

/// Bytes locked now, by every provider of this process.
pub fn locked_bytes() -> usize {
    LOCKED.load(Ordering::Relaxed)
}

/// The most that was ever locked at once.
pub fn locked_high_water() -> usize {
    HIGH_WATER.load(Ordering::Relaxed)
}

/// A child has none of its parent's locks.
#[cfg(unix)]
pub(super) fn after_fork() {
    LOCKED.store(0, Ordering::Relaxed);
}

/// How a lock went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// The system counts it.
    Verified,
    /// The system said yes, and has no count.
    Unverified,
    /// The limit, or this purpose's share of it, is reached.
    Refused,
}

fn has_room(len: usize, purpose: Purpose) -> bool {
    let limit = system::lock_limit().unwrap_or(WITHOUT_LIMIT);
    let share = match purpose {
        // Whether there is room is for the system to say: root may have more than the limit.
        Purpose::Core => return true,
        Purpose::Contexts => limit / 2,
        Purpose::Keys => (limit / 4).saturating_mul(3),
        Purpose::OnlyLockedKeys => limit,
    };
    let wanted = locked_bytes().saturating_add(len);
    u64::try_from(wanted).is_ok_and(|wanted| wanted <= share)
}

/// Locks pages, and looks whether the system counts them: there are systems that say yes and do nothing.
///
/// # Safety
///
/// The pages are part of what [`system::reserve`] gave.
pub(super) unsafe fn lock(start: NonNull<u8>, len: usize, purpose: Purpose) -> Lock {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: promised by the caller.
    if !has_room(len, purpose) || !unsafe { system::lock(start, len) } {
        return Lock::Refused;
    }
    let total = locked_bytes().saturating_add(len);
    match system::locked_by_process() {
        Some(counted) if counted < total => {
            // SAFETY: promised by the caller.
            unsafe { system::unlock(start, len) };
            Lock::Refused
        }
        counted => {
            LOCKED.store(total, Ordering::Relaxed);
            HIGH_WATER.fetch_max(total, Ordering::Relaxed);
            if counted.is_some() { Lock::Verified } else { Lock::Unverified }
        }
    }
}

/// # Safety
///
/// The pages were locked by [`lock`], in one call.
pub(super) unsafe fn unlock(start: NonNull<u8>, len: usize) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    LOCKED.store(locked_bytes().saturating_sub(len), Ordering::Relaxed);
    // SAFETY: promised by the caller.
    unsafe { system::unlock(start, len) };
}
