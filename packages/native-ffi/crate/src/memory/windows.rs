//! What Windows offers: no forks, and no way to keep single pages out of a dump that was asked for.

use core::ptr::{self, NonNull};

use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
};
use windows_sys::Win32::System::Memory::{
    GetProcessWorkingSetSizeEx, MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_NOACCESS, PAGE_READWRITE, VirtualAlloc,
    VirtualFree, VirtualLock, VirtualUnlock,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// Keeps this library in the process. A worker's end unloads what only it has loaded, while strings of ours may still be alive
/// in its heap: on Linux a flag of the linker says no to that.
pub fn stay_loaded() {
    let mut module = ptr::null_mut();
    let here: fn() = stay_loaded;
    // SAFETY: the address lies in this library, and `module` is a valid place for the answer.
    unsafe {
        GetModuleHandleExW(
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
            here as *const u16,
            &raw mut module,
        )
    };
}

/// Bytes of a page.
pub fn page_size() -> usize {
    let mut info = SYSTEM_INFO::default();
    // SAFETY: `info` is a valid place for the answer.
    unsafe { GetSystemInfo(&raw mut info) };
    usize::try_from(info.dwPageSize).unwrap_or(4096)
}

/// Address space that cannot be accessed.
pub(super) fn reserve(len: usize) -> Option<NonNull<u8>> {
    // SAFETY: a fresh reservation at an address of the system's choice touches nothing that exists.
    NonNull::new(unsafe { VirtualAlloc(ptr::null(), len, MEM_RESERVE, PAGE_NOACCESS) }.cast())
}

/// Makes pages readable and writable.
///
/// # Safety
///
/// The pages are part of what [`reserve`] gave.
pub(super) unsafe fn open_up(start: NonNull<u8>, len: usize) -> bool {
    // SAFETY: promised by the caller.
    !unsafe { VirtualAlloc(start.as_ptr().cast(), len, MEM_COMMIT, PAGE_READWRITE) }.is_null()
}

/// Keeps pages in memory, within the minimum of the working set.
///
/// # Safety
///
/// As for [`open_up`].
pub(super) unsafe fn lock(start: NonNull<u8>, len: usize) -> bool {
    // SAFETY: promised by the caller.
    unsafe { VirtualLock(start.as_ptr().cast(), len) != 0 }
}

/// # Safety
///
/// As for [`open_up`].
pub(super) unsafe fn unlock(start: NonNull<u8>, len: usize) {
    // SAFETY: promised by the caller. A failure leaves the pages locked until they are released, next.
    unsafe { VirtualUnlock(start.as_ptr().cast(), len) };
}

/// # Safety
///
/// This is all that [`reserve`] gave at once, and nothing uses it any more.
pub(super) unsafe fn release(start: NonNull<u8>, _len: usize) {
    // SAFETY: promised by the caller. A size of 0 releases the whole reservation.
    unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
}

/// # Safety
///
/// As for [`open_up`].
pub(super) unsafe fn leave_out_of_dumps(_start: NonNull<u8>, _len: usize) -> bool {
    false
}

/// There are no forks.
///
/// # Safety
///
/// As for [`open_up`].
pub(super) unsafe fn keep_from_children(_start: NonNull<u8>, _len: usize) -> bool {
    true
}

/// How much this process may lock, in bytes: the minimum of its working set.
pub fn lock_limit() -> Option<u64> {
    let (mut minimum, mut maximum, mut flags) = (0, 0, 0);
    // SAFETY: the pseudo handle is always valid, and the three places are ours.
    let done =
        unsafe { GetProcessWorkingSetSizeEx(GetCurrentProcess(), &raw mut minimum, &raw mut maximum, &raw mut flags) };
    Some(if done == 0 { 0 } else { u64::try_from(minimum).unwrap_or(0) })
}

/// The system does not say.
pub(super) fn locked_by_process() -> Option<usize> {
    None
}

/// There are no forks.
pub fn fork_count() -> u32 {
    0
}

/// There are no forks.
pub fn watch_forks() {}
