//! Breaks things on purpose. Only in the binary that the package's tests build for themselves.

#![expect(clippy::panic, reason = "it is the purpose")]

use napi_sys::{napi_callback_info, napi_env, napi_value};

use super::call::run;

type Function = unsafe extern "C" fn(napi_env, napi_callback_info) -> napi_value;

pub(super) const MODULE_FUNCTIONS: &[(&str, Function)] = &[("panicNow", panic_now), ("readBeyond", read_beyond)];
pub(super) const PROVIDER_FUNCTIONS: &[(&str, Function)] =
    &[("panicInCall", panic_in_call), ("damageCanary", damage_canary), ("damageKey", damage_key)];

/// `panicNow(message)`
unsafe extern "C" fn panic_now(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<1>(env, info, |call| {
            let message = String::from_utf16_lossy(&call.text(0)?);
            std::panic::panic_any(message)
        })
    }
}

/// `readBeyond(bytes)`: a fault that only a sanitizer notices.
unsafe extern "C" fn read_beyond(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's. Reading behind the bytes is wrong, and nobody but a test asks for it.
    unsafe {
        run::<1>(env, info, |call| {
            let (start, len) = call.bytes(0)?;
            call.int(start.add(len).read_volatile().into())
        })
    }
}

/// `panicInCall()`: while the provider is in use.
unsafe extern "C" fn panic_in_call(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<0>(env, info, |call| {
            let mut busy = call.provider()?;
            busy.state();
            std::panic::panic_any("on purpose")
        })
    }
}

/// `damageCanary()`: of the slab's first chunk.
unsafe extern "C" fn damage_canary(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<0>(env, info, |call| {
            call.provider()?.state().vault.damage_canary();
            call.int(0)
        })
    }
}

/// `damageKey(handle)`: writes over what stands behind a key.
unsafe extern "C" fn damage_key(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<1>(env, info, |call| {
            call.provider()?.state().vault.damage_key(call.handle(0)?);
            call.int(0)
        })
    }
}
