//! What is given to JavaScript.

use core::ffi::{c_char, c_void};
use core::ptr;
use std::alloc::{Layout, alloc_zeroed};

use napi_sys::{napi_env, napi_value, node_api_basic_env};

use super::call::check;
use crate::fault::{Fault, Outcome};

/// Where V8 puts strings of its own among its large objects, which is slow: from here on, texts stay outside its heap.
pub(super) const LARGE_TEXT: usize = 128 * 1024 - 64;

/// # Safety
///
/// In every function here: `env` is valid, and a handle scope is open.
pub(super) unsafe fn int(env: napi_env, value: i32) -> Outcome<napi_value> {
    let mut result = ptr::null_mut();
    // SAFETY: promised by the caller.
    check(unsafe { napi_sys::napi_create_int32(env, value, &raw mut result) }, Fault::NodeApi)?;
    Ok(result)
}

/// # Safety
///
/// As for [`int`].
pub(super) unsafe fn double(env: napi_env, value: f64) -> Outcome<napi_value> {
    let mut result = ptr::null_mut();
    // SAFETY: promised by the caller.
    check(unsafe { napi_sys::napi_create_double(env, value, &raw mut result) }, Fault::NodeApi)?;
    Ok(result)
}

/// # Safety
///
/// As for [`int`].
pub(super) unsafe fn latin1(env: napi_env, text: &[u8]) -> Outcome<napi_value> {
    let mut result = ptr::null_mut();
    let len = text.len().cast_signed();
    // SAFETY: promised by the caller; V8 copies the text.
    let status = unsafe { napi_sys::napi_create_string_latin1(env, text.as_ptr().cast(), len, &raw mut result) };
    check(status, Fault::TooLong)?;
    Ok(result)
}

/// # Safety
///
/// As for [`int`].
pub(super) unsafe fn utf16(env: napi_env, text: &[u16]) -> Outcome<napi_value> {
    let mut result = ptr::null_mut();
    let len = text.len().cast_signed();
    // SAFETY: promised by the caller; V8 copies the text.
    let status = unsafe { napi_sys::napi_create_string_utf16(env, text.as_ptr(), len, &raw mut result) };
    check(status, Fault::TooLong)?;
    Ok(result)
}

/// Zeroed memory that need not be touched to be zero.
pub(super) fn zeroed(len: usize) -> Outcome<Box<[u8]>> {
    if len == 0 {
        return Ok(Box::new([]));
    }
    let layout = Layout::array::<u8>(len).map_err(|_| Fault::TooLong)?;
    // SAFETY: the layout has a size; a box of bytes has this very layout.
    unsafe {
        let start = alloc_zeroed(layout);
        if start.is_null() {
            return Err(Fault::OutOfMemory);
        }
        Ok(Box::from_raw(ptr::slice_from_raw_parts_mut(start, len)))
    }
}

unsafe extern "C" fn drop_text(env: node_api_basic_env, start: *mut c_void, len: *mut c_void) {
    let len = len.addr();
    // SAFETY: both come from `external_latin1`, and Node-API calls this once.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(start.cast::<u8>(), len)) });
    if !env.is_null() {
        // SAFETY: env is valid, since it is there.
        unsafe { count_external(env, len.cast_signed().saturating_neg()) };
    }
}

/// Tells V8 how much memory hangs on its strings: it would not collect them in time otherwise, and memory would only grow.
unsafe fn count_external(env: node_api_basic_env, change: isize) {
    let mut total = 0;
    // SAFETY: promised by the caller. A failure only makes V8 count wrong.
    unsafe { napi_sys::napi_adjust_external_memory(env.cast(), i64::try_from(change).unwrap_or(0), &raw mut total) };
}

/// A string over memory that V8 gives back when it collects the string.
///
/// # Safety
///
/// As for [`int`].
pub(super) unsafe fn external_latin1(env: napi_env, text: Box<[u8]>) -> Outcome<napi_value> {
    let len = text.len();
    let start = Box::into_raw(text).cast::<u8>();
    let (mut result, mut copied) = (ptr::null_mut(), false);
    // SAFETY: promised by the caller; the text lives until `drop_text`, which gets its length as the hint.
    let status = unsafe {
        count_external(env.cast(), len.cast_signed());
        napi_sys::node_api_create_external_string_latin1(
            env,
            start.cast::<c_char>(),
            len.cast_signed(),
            Some(drop_text),
            ptr::without_provenance_mut(len),
            &raw mut result,
            &raw mut copied,
        )
    };
    if status != napi_sys::Status::napi_ok {
        // SAFETY: nobody took the memory.
        unsafe {
            count_external(env.cast(), len.cast_signed().saturating_neg());
            drop(Box::from_raw(ptr::slice_from_raw_parts_mut(start, len)));
        }
        return Err(Fault::TooLong);
    }
    Ok(result)
}
