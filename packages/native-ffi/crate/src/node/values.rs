//! What is given to JavaScript.

use core::ffi::{c_char, c_void};
use core::ptr;
use std::alloc::{Layout, alloc_zeroed};

use napi_sys::{napi_env, napi_value, node_api_basic_env};

use super::call::check;
use crate::fault::{Fault, Outcome};

/// Shorter texts are copied to V8's heap: below, that is quicker than a string that V8 has to give back.
pub(super) const EXTERNAL_FROM: usize = 120 * 1024;

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

unsafe extern "C" fn drop_text(_env: node_api_basic_env, start: *mut c_void, len: *mut c_void) {
    // SAFETY: both come from `external_latin1`, and Node-API calls this once.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(start.cast::<u8>(), len.addr())) });
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
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(start, len)) });
        return Err(Fault::TooLong);
    }
    Ok(result)
}
