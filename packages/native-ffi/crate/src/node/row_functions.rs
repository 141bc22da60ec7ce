//! Rows, one a call.

use napi_sys::{napi_callback_info, napi_env, napi_value};

use super::call::{Call, run};
use super::provider::State;
use super::values;
use crate::aead::{OVERHEAD, WRAPPED};
use crate::fault::{Fault, Outcome};
use crate::keys::Handle;
use crate::rows::base64;
use crate::rows::template::Template;
use crate::rows::text::{self, RowText};

/// `encryptRow(handle, plaintext, target?)`: the wrapped key in the window, then the data, or the data in `target`.
pub(super) unsafe extern "C" fn encrypt_row(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<3>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let (handle, plaintext) = (call.handle(0)?, call.input(1)?);
            let len = plaintext.len().checked_add(OVERHEAD).ok_or(Fault::TooLong)?;
            if call.count > 2 {
                let wrapped = state.window(WRAPPED)?;
                state.vault.seal_row(handle, plaintext, wrapped, call.target(2)?)?;
            } else {
                let window = state.window(WRAPPED.checked_add(len).ok_or(Fault::TooLong)?)?;
                let (wrapped, data) = window.split_at_mut_checked(WRAPPED).ok_or(Fault::Argument)?;
                state.vault.seal_row(handle, plaintext, wrapped, data)?;
            }
            call.length(len)
        })
    }
}

/// `encryptRowJson(handle, plaintext, created): string`, with the template that was set.
pub(super) unsafe extern "C" fn encrypt_row_json(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<3>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let (handle, plaintext, created) = (call.handle(0)?, call.input(1)?, call.seconds(2)?);
            let len = plaintext.len().checked_add(OVERHEAD).ok_or(Fault::TooLong)?;
            let mut wrapped = [0; WRAPPED];
            state.vault.seal_row(handle, plaintext, &mut wrapped, state.scratch.data(len)?)?;
            let made = row_string(env, state, handle, created, &wrapped, len);
            state.scratch.trim();
            made
        })
    }
}

/// The text of the row whose data is in the scratch buffer.
unsafe fn row_string(
    env: napi_env,
    state: &mut State,
    handle: Handle,
    created: u64,
    wrapped: &[u8],
    data_len: usize,
) -> Outcome<napi_value> {
    let template = state.vault.template(handle)?;
    let Template::Narrow(middle) = template else {
        let data = state.scratch.data(data_len)?;
        let wide = text::to_utf16(&RowText { created, wrapped, data }, template)?;
        // SAFETY: env is valid, as the caller has promised.
        return unsafe { values::utf16(env, &wide) };
    };
    let len = text::text_len(created, middle.len(), data_len)?;
    if len >= values::LARGE_TEXT {
        let mut text = values::zeroed(len)?;
        let data = state.scratch.data(data_len)?;
        text::write(&RowText { created, wrapped, data }, middle, &mut text)?;
        // SAFETY: as above.
        return unsafe { values::external_latin1(env, text) };
    }
    let (data, text) = state.scratch.data_and_text(data_len, len)?;
    text::write(&RowText { created, wrapped, data }, middle, text)?;
    // SAFETY: as above.
    unsafe { values::latin1(env, text) }
}

/// Where a row's two base64 texts are: the start of the wrapped key's, whose length is fixed, and the data's both ends.
struct Spans {
    wrapped: (usize, usize),
    data: (usize, usize),
}

impl Spans {
    fn of<const N: usize>(call: &Call<N>, at: usize) -> Outcome<Self> {
        let place = |offset: usize| call.index(at.checked_add(offset).ok_or(Fault::Argument)?);
        let start = place(0)?;
        let end = base64::encoded_len(WRAPPED).and_then(|len| start.checked_add(len)).ok_or(Fault::Spans)?;
        Ok(Self { wrapped: (start, end), data: (place(1)?, place(2)?) })
    }

    fn cut<'a, T>(&self, text: &'a [T]) -> Outcome<(&'a [T], &'a [T])> {
        let wrapped = text.get(self.wrapped.0..self.wrapped.1).ok_or(Fault::Spans)?;
        Ok((wrapped, text.get(self.data.0..self.data.1).ok_or(Fault::Spans)?))
    }
}

/// Decodes and opens a row, to the window, or to the array that stands at `target` of the arguments.
fn open<const N: usize>(
    call: &Call<N>,
    state: &mut State,
    handle: Handle,
    texts: (&[u8], &[u8]),
    target: usize,
) -> Outcome<napi_value> {
    let mut wrapped = [0; WRAPPED];
    base64::decode(texts.0, &mut wrapped)?;
    let len = base64::decoded_len(texts.1)?;
    base64::decode(texts.1, state.scratch.data(len)?)?;
    let room = len.checked_sub(OVERHEAD).ok_or(Fault::Authentication)?;
    let plaintext = if call.count > target { call.target(target)? } else { state.window(room)? };
    let data = state.scratch.data(len)?;
    // SAFETY: the plaintext's place is a mutable slice of its own.
    unsafe { state.vault.open_row(handle, &wrapped, data, plaintext.as_mut_ptr(), plaintext.len())? };
    call.length(room)
}

/// A string's length is asked for when it is said to be longer.
const TRUSTED_LENGTH: usize = 1024 * 1024;

/// `decryptRowJson(handle, json, length, oneByte, keyStart, dataStart, dataEnd, target?): number`
///
/// `length` is the string's, and `oneByte` says that no character of it is beyond U+00FF.
pub(super) unsafe extern "C" fn decrypt_row_json(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<8>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let (handle, len, one_byte, spans) = (call.handle(0)?, call.index(2)?, call.flag(3)?, Spans::of(call, 4)?);
            // Nothing much longer than the string is made, whatever the caller says its length is.
            if len > TRUSTED_LENGTH && call.text_len(1)? != len {
                return Err(Fault::Argument);
            }
            let room = len.checked_add(1).ok_or(Fault::TooLong)?;
            let mut text = core::mem::take(&mut state.text);
            let opened = (|| {
                if one_byte {
                    let buffer = text.bytes(room)?;
                    let written = call.latin1(1, buffer)?;
                    let (wrapped, data) = spans.cut(buffer.get(..written).ok_or(Fault::Spans)?)?;
                    return open(call, state, handle, (wrapped, data), 7);
                }
                let (units, bytes) = text.units_and_bytes(room)?;
                let written = call.utf16(1, units)?;
                let (wrapped, data) = spans.cut(units.get(..written).ok_or(Fault::Spans)?)?;
                let (wrapped_bytes, rest) = bytes.split_at_mut_checked(wrapped.len()).ok_or(Fault::Spans)?;
                let data_bytes = rest.get_mut(..data.len()).ok_or(Fault::Spans)?;
                base64::narrow(wrapped, wrapped_bytes)?;
                base64::narrow(data, data_bytes)?;
                open(call, state, handle, (wrapped_bytes, data_bytes), 7)
            })();
            text.trim();
            state.text = text;
            state.scratch.trim();
            opened
        })
    }
}

/// `decryptRowBytes(handle, json, keyStart, dataStart, dataEnd, target?): number`, where `json` is UTF-8.
pub(super) unsafe extern "C" fn decrypt_row_bytes(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<6>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let spans = Spans::of(call, 2)?;
            let opened = open(call, state, call.handle(0)?, spans.cut(call.slice(1)?)?, 5);
            state.scratch.trim();
            opened
        })
    }
}

/// `decryptRow(handle, wrapped, data, target?): number`
pub(super) unsafe extern "C" fn decrypt_row(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<4>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let (handle, wrapped, data) = (call.handle(0)?, call.slice(1)?, call.slice(2)?);
            let room = data.len().checked_sub(OVERHEAD).ok_or(Fault::Authentication)?;
            let plaintext = if call.count > 3 { call.target(3)? } else { state.window(room)? };
            state.vault.open_row(handle, wrapped, data, plaintext.as_mut_ptr(), plaintext.len())?;
            call.length(room)
        })
    }
}
