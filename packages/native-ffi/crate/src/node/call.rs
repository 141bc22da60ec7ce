//! One call from JavaScript: its arguments, checked.

use core::ffi::c_void;
use core::ptr;
use std::rc::Rc;

use napi_sys::{Status, TypedarrayType, napi_callback_info, napi_env, napi_status, napi_value};

use super::panics::guarded;
use super::provider::{Busy, Provider};
use super::values;
use crate::aead::Input;
use crate::fault::{Fault, Outcome};
use crate::keys::Handle;

/// Makes an outcome of a status.
pub(super) fn check(status: napi_status, fault: Fault) -> Outcome<()> {
    if status == Status::napi_ok { Ok(()) } else { Err(fault) }
}

/// A call with room for `N` arguments.
pub(super) struct Call<const N: usize> {
    pub(super) env: napi_env,
    pub(super) count: usize,
    args: [napi_value; N],
    data: *mut c_void,
}

/// Runs a callback: a fault is returned as its number, below zero, and a panic is one.
///
/// # Safety
///
/// `env` and `info` are those of the callback that calls this.
pub(super) unsafe fn run<const N: usize>(
    env: napi_env,
    info: napi_callback_info,
    body: impl FnOnce(&Call<N>) -> Outcome<napi_value>,
) -> napi_value {
    let outcome = guarded(|| {
        let mut call = Call { env, count: N, args: [ptr::null_mut(); N], data: ptr::null_mut() };
        // SAFETY: `args` has room for `count` values; env and info are valid during the callback.
        let status = unsafe {
            napi_sys::napi_get_cb_info(
                env,
                info,
                &raw mut call.count,
                call.args.as_mut_ptr(),
                ptr::null_mut(),
                &raw mut call.data,
            )
        };
        check(status, Fault::NodeApi)?;
        body(&call)
    });
    match outcome {
        Ok(value) => value,
        // SAFETY: env is valid during the callback.
        Err(fault) => unsafe { values::int(env, fault.code().saturating_neg()) }.unwrap_or(ptr::null_mut()),
    }
}

impl<const N: usize> Call<N> {
    fn arg(&self, at: usize) -> Outcome<napi_value> {
        self.args.get(at).copied().ok_or(Fault::Argument)
    }

    /// The provider that the function was made for, for the time of this call.
    pub(super) fn provider(&self) -> Outcome<Busy<'_>> {
        // SAFETY: the data of every function that asks for a provider is one, kept alive by the function.
        let provider = unsafe { self.data.cast_const().cast::<Provider>().as_ref() }.ok_or(Fault::NodeApi)?;
        provider.enter()
    }

    /// The same, for work that outlives the call.
    pub(super) fn shared_provider(&self) -> Outcome<Rc<Provider>> {
        let data = self.data.cast_const().cast::<Provider>();
        if data.is_null() {
            return Err(Fault::NodeApi);
        }
        // SAFETY: the data is one count of an Rc, which the function keeps; this adds another one.
        unsafe {
            Rc::increment_strong_count(data);
            Ok(Rc::from_raw(data))
        }
    }

    pub(super) fn number(&self, at: usize) -> Outcome<f64> {
        let mut value = 0.0;
        // SAFETY: env and the argument are valid during the callback.
        check(unsafe { napi_sys::napi_get_value_double(self.env, self.arg(at)?, &raw mut value) }, Fault::Argument)?;
        Ok(value)
    }

    pub(super) fn handle(&self, at: usize) -> Outcome<Handle> {
        Handle::from_number(self.number(at)?)
    }

    /// A place or a length: a whole number that fits 32 bits.
    pub(super) fn index(&self, at: usize) -> Outcome<usize> {
        let mut value = 0;
        // SAFETY: as in `number`.
        check(unsafe { napi_sys::napi_get_value_int32(self.env, self.arg(at)?, &raw mut value) }, Fault::Argument)?;
        usize::try_from(value).map_err(|_| Fault::Argument)
    }

    /// A key's time: whole seconds, exactly representable.
    pub(super) fn seconds(&self, at: usize) -> Outcome<u64> {
        let number = self.number(at)?;
        if !(1.0..=9_007_199_254_740_991.0).contains(&number) || number.fract() != 0.0 {
            return Err(Fault::Argument);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a whole number in range")]
        let whole = number as u64;
        Ok(whole)
    }

    pub(super) fn flag(&self, at: usize) -> Outcome<bool> {
        let mut value = false;
        // SAFETY: as in `number`.
        check(unsafe { napi_sys::napi_get_value_bool(self.env, self.arg(at)?, &raw mut value) }, Fault::Argument)?;
        Ok(value)
    }

    fn typed_array(&self, at: usize, wanted: i32) -> Outcome<(*mut c_void, usize)> {
        let (mut kind, mut len, mut start) = (0, 0, ptr::null_mut());
        // SAFETY: as in `number`; the places that are null are not asked for.
        let status = unsafe {
            napi_sys::napi_get_typedarray_info(
                self.env,
                self.arg(at)?,
                &raw mut kind,
                &raw mut len,
                &raw mut start,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        check(status, Fault::Argument)?;
        if kind != wanted || (start.is_null() && len > 0) {
            return Err(Fault::Argument);
        }
        Ok((start, len))
    }

    /// Where a `Uint8Array`'s bytes are: they stay there during the call, in which no JavaScript runs on this thread.
    pub(super) fn bytes(&self, at: usize) -> Outcome<(*mut u8, usize)> {
        self.typed_array(at, TypedarrayType::uint8_array).map(|(start, len)| (start.cast(), len))
    }

    /// A `Uint8Array`'s bytes, to read.
    pub(super) fn input(&self, at: usize) -> Outcome<Input<'_>> {
        let (start, len) = self.bytes(at)?;
        // SAFETY: as `bytes` says.
        Ok(unsafe { Input::new(start, len) })
    }

    /// A `Uint8Array`'s bytes as a slice. Its memory must not be shared: src/native-provider.ts sees to that.
    pub(super) fn slice(&self, at: usize) -> Outcome<&[u8]> {
        let (start, len) = self.bytes(at)?;
        // SAFETY: as `bytes` says; an empty array may have no place at all.
        Ok(if len == 0 { &[] } else { unsafe { core::slice::from_raw_parts(start, len) } })
    }

    /// A `Uint8Array` that JavaScript made to be written to, and shows to nobody else before this call is over.
    #[expect(clippy::mut_from_ref, reason = "it is JavaScript's memory, and each argument is asked for once")]
    pub(super) fn target(&self, at: usize) -> Outcome<&mut [u8]> {
        let (start, len) = self.bytes(at)?;
        // SAFETY: as `bytes` says; an empty array may have no place at all.
        Ok(if len == 0 { &mut [] } else { unsafe { core::slice::from_raw_parts_mut(start, len) } })
    }

    /// A `Uint32Array`, to read or to write, as [`Self::target`].
    #[expect(clippy::mut_from_ref, reason = "it is JavaScript's memory, and each argument is asked for once")]
    pub(super) fn words(&self, at: usize) -> Outcome<&mut [u32]> {
        let (start, len) = self.typed_array(at, TypedarrayType::uint32_array)?;
        // SAFETY: as `bytes` says; JavaScript aligns its arrays by their elements.
        Ok(if len == 0 { &mut [] } else { unsafe { core::slice::from_raw_parts_mut(start.cast(), len) } })
    }

    /// A string's UTF-16, to a buffer that has one unit more than the string.
    pub(super) fn utf16(&self, at: usize, buffer: &mut [u16]) -> Outcome<usize> {
        let mut len = 0;
        // SAFETY: at most as much is written as the buffer has.
        let status = unsafe {
            napi_sys::napi_get_value_string_utf16(
                self.env,
                self.arg(at)?,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut len,
            )
        };
        check(status, Fault::Argument)?;
        Ok(len)
    }

    /// A string's characters, one byte each, to a buffer that has one byte more than the string.
    pub(super) fn latin1(&self, at: usize, buffer: &mut [u8]) -> Outcome<usize> {
        let mut len = 0;
        // SAFETY: at most as much is written as the buffer has.
        let status = unsafe {
            napi_sys::napi_get_value_string_latin1(
                self.env,
                self.arg(at)?,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &raw mut len,
            )
        };
        check(status, Fault::Argument)?;
        Ok(len)
    }

    /// How many UTF-16 units a string has.
    pub(super) fn text_len(&self, at: usize) -> Outcome<usize> {
        let mut len = 0;
        // SAFETY: without a buffer, only the length is asked for.
        let status =
            unsafe { napi_sys::napi_get_value_string_utf16(self.env, self.arg(at)?, ptr::null_mut(), 0, &raw mut len) };
        check(status, Fault::Argument)?;
        Ok(len)
    }

    /// A string of any length, as UTF-16.
    pub(super) fn text(&self, at: usize) -> Outcome<Vec<u16>> {
        let mut units = Vec::new();
        let room = self.text_len(at)?.checked_add(1).ok_or(Fault::TooLong)?;
        units.try_reserve_exact(room).map_err(|_| Fault::OutOfMemory)?;
        units.resize(room, 0);
        let written = self.utf16(at, &mut units)?;
        units.truncate(written);
        Ok(units)
    }

    pub(super) fn value(&self, at: usize) -> Outcome<napi_value> {
        self.arg(at)
    }

    pub(super) fn int(&self, value: i32) -> Outcome<napi_value> {
        // SAFETY: env is valid during the callback.
        unsafe { values::int(self.env, value) }
    }

    pub(super) fn length(&self, value: usize) -> Outcome<napi_value> {
        #[expect(clippy::cast_precision_loss, reason = "a length of memory is far below 2^53")]
        let number = value as f64;
        // SAFETY: env is valid during the callback.
        unsafe { values::double(self.env, number) }
    }

    /// A fault with more to say than its code.
    pub(super) fn negative(&self, value: usize) -> Outcome<napi_value> {
        #[expect(clippy::cast_precision_loss, reason = "a number of items in memory is far below 2^53")]
        let number = -(value as f64);
        // SAFETY: env is valid during the callback.
        unsafe { values::double(self.env, number) }
    }

    pub(super) fn handle_value(&self, handle: Handle) -> Outcome<napi_value> {
        // SAFETY: env is valid during the callback.
        unsafe { values::double(self.env, handle.to_number()) }
    }
}
