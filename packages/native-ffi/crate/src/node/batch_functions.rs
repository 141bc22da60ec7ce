//! Many rows in one call: first how long the result is, so that JavaScript can make room, then the rows.

use napi_sys::{napi_callback_info, napi_env, napi_value};

use super::call::{Call, run};
use crate::fault::{Fault, Outcome};
use crate::rows::packed::{self, Batch, PackedFault};

/// A fault of one item is -(code + 32 × (item + 1)), one of the whole batch -code.
fn settle<const N: usize>(call: &Call<N>, done: Result<usize, PackedFault>) -> Outcome<napi_value> {
    match done {
        Ok(len) => call.length(len),
        Err(PackedFault { fault, item: None }) => Err(fault),
        Err(PackedFault { fault, item: Some(item) }) => {
            let code = usize::try_from(fault.code()).map_err(|_| Fault::NodeApi)?;
            let number = item.saturating_add(1).saturating_mul(32).saturating_add(code);
            call.negative(number)
        }
    }
}

/// `sealedLength(handle, packed, ends, created): number`
pub(super) unsafe extern "C" fn sealed_length(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<4>(env, info, |call| {
            let mut busy = call.provider()?;
            let bounds = packed::bounds(call.words(2)?, call.input(1)?.len())?;
            let middle = busy.state().vault.template(call.handle(0)?)?.to_utf8()?;
            call.length(packed::sealed_len(&bounds, call.seconds(3)?, middle.len())?)
        })
    }
}

/// `encryptRowsPacked(handle, packed, ends, created, target, targetEnds): 0`
pub(super) unsafe extern "C" fn encrypt_rows_packed(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<6>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let payloads = call.input(1)?;
            let bounds = packed::bounds(call.words(2)?, payloads.len())?;
            let handle = call.handle(0)?;
            let middle = state.vault.template(handle)?.to_utf8()?;
            let batch = Batch { handle, created: call.seconds(3)?, middle: &middle };
            let rows = (call.target(4)?, call.words(5)?);
            let done = packed::seal(&mut state.vault, &mut state.scratch, &batch, (payloads, &bounds), rows);
            state.scratch.trim();
            settle(call, done.map(|()| 0))
        })
    }
}

/// `openedLength(handle, packed, ends): number`
pub(super) unsafe extern "C" fn opened_length(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<3>(env, info, |call| {
            let mut busy = call.provider()?;
            busy.state().vault.check_key(call.handle(0)?)?;
            let rows = call.slice(1)?;
            let bounds = packed::bounds(call.words(2)?, rows.len())?;
            settle(call, packed::opened_len(rows, &bounds))
        })
    }
}

/// `decryptRowsPacked(handle, packed, ends, target, targetEnds): 0`
pub(super) unsafe extern "C" fn decrypt_rows_packed(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<5>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let rows = call.slice(1)?;
            let bounds = packed::bounds(call.words(2)?, rows.len())?;
            let payloads = (call.target(3)?, call.words(4)?);
            let done = packed::open(&mut state.vault, &mut state.scratch, call.handle(0)?, (rows, &bounds), payloads);
            state.scratch.trim();
            settle(call, done.map(|()| 0))
        })
    }
}
