//! What Linux and macOS offer.

use core::ptr::{self, NonNull};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{MAP_ANON, MAP_FAILED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, c_void};

/// Bytes of a page.
pub fn page_size() -> usize {
    // SAFETY: takes a constant and only returns a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// Address space that cannot be accessed.
pub(super) fn reserve(len: usize) -> Option<NonNull<u8>> {
    // SAFETY: a fresh private mapping at an address of the system's choice touches nothing that exists.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0) };
    if start == MAP_FAILED { None } else { NonNull::new(start.cast()) }
}

/// Makes pages readable and writable.
///
/// # Safety
///
/// The pages are part of what [`reserve`] gave.
pub(super) unsafe fn open_up(start: NonNull<u8>, len: usize) -> bool {
    // SAFETY: promised by the caller.
    unsafe { libc::mprotect(start.as_ptr().cast(), len, PROT_READ | PROT_WRITE) == 0 }
}

/// Keeps pages in memory.
///
/// # Safety
///
/// As for [`open_up`].
pub(super) unsafe fn lock(start: NonNull<u8>, len: usize) -> bool {
    // SAFETY: promised by the caller.
    unsafe { libc::mlock(start.as_ptr().cast::<c_void>(), len) == 0 }
}

/// # Safety
///
/// As for [`open_up`].
pub(super) unsafe fn unlock(start: NonNull<u8>, len: usize) {
    // SAFETY: promised by the caller. A failure leaves the pages locked until they are unmapped, next.
    unsafe { libc::munlock(start.as_ptr().cast::<c_void>(), len) };
}

/// # Safety
///
/// This is all that [`reserve`] gave at once, and nothing uses it any more.
pub(super) unsafe fn release(start: NonNull<u8>, len: usize) {
    // SAFETY: promised by the caller. It cannot fail for a whole mapping of ours.
    unsafe { libc::munmap(start.as_ptr().cast(), len) };
}

/// Keeps pages out of core dumps, where the system can.
///
/// # Safety
///
/// As for [`open_up`].
#[cfg(target_os = "linux")]
pub(super) unsafe fn leave_out_of_dumps(start: NonNull<u8>, len: usize) -> bool {
    // SAFETY: promised by the caller; the advice changes no contents.
    unsafe { libc::madvise(start.as_ptr().cast(), len, libc::MADV_DONTDUMP) == 0 }
}

/// # Safety
///
/// As for [`open_up`].
#[cfg(not(target_os = "linux"))]
pub(super) unsafe fn leave_out_of_dumps(_start: NonNull<u8>, _len: usize) -> bool {
    false
}

/// Keeps the contents from forked children: zeroes, or no pages at all.
///
/// # Safety
///
/// As for [`open_up`].
#[cfg(target_os = "linux")]
pub(super) unsafe fn keep_from_children(start: NonNull<u8>, len: usize) -> bool {
    let place = start.as_ptr().cast();
    // SAFETY: promised by the caller; neither advice changes anything in this process. Before Linux 4.14 there is only
    // the second.
    unsafe {
        libc::madvise(place, len, libc::MADV_WIPEONFORK) == 0 || libc::madvise(place, len, libc::MADV_DONTFORK) == 0
    }
}

/// # Safety
///
/// As for [`open_up`].
#[cfg(target_os = "macos")]
pub(super) unsafe fn keep_from_children(start: NonNull<u8>, len: usize) -> bool {
    unsafe extern "C" {
        fn minherit(start: *mut c_void, len: usize, inherit: libc::c_int) -> libc::c_int;
    }
    const VM_INHERIT_NONE: libc::c_int = 2;
    // SAFETY: promised by the caller; it changes nothing in this process.
    unsafe { minherit(start.as_ptr().cast(), len, VM_INHERIT_NONE) == 0 }
}

/// # Safety
///
/// As for [`open_up`].
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) unsafe fn keep_from_children(_start: NonNull<u8>, _len: usize) -> bool {
    false
}

/// How much this process may lock, in bytes. None: no limit.
pub fn lock_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } != 0;
    if failed {
        return Some(0);
    }
    if limit.rlim_cur == libc::RLIM_INFINITY { None } else { Some(limit.rlim_cur) }
}

/// What the system says this process has locked, in bytes. None: it does not say.
#[cfg(target_os = "linux")]
pub(super) fn locked_by_process() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn locked_by_process() -> Option<usize> {
    None
}

static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCH: Once = Once::new();

/// Counts the forks between the process that loaded this code and the one that runs it now.
pub fn fork_count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Has forks counted from here on.
pub fn watch_forks() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        super::accounting::after_fork();
    }
    WATCH.call_once(|| {
        // SAFETY: the handler only changes atomics, and this code is never unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}
