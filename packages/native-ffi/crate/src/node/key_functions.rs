//! Keys: made, taken in, shown, wrapped, closed.

use napi_sys::{napi_callback_info, napi_env, napi_value};

use super::call::run;
use crate::aead::WRAPPED;
use crate::fault::Fault;
use crate::rows::template::Template;
use crate::wipe::wipe;

/// `generateKey(): handle`
pub(super) unsafe extern "C" fn generate_key(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<0>(env, info, |call| {
            let handle = call.provider()?.state().vault.generate()?;
            call.handle_value(handle)
        })
    }
}

/// `importKey(bytes): handle`; wipes the bytes.
pub(super) unsafe extern "C" fn import_key(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<1>(env, info, |call| {
            let imported = call.provider().and_then(|mut busy| busy.state().vault.import(call.input(0)?));
            wipe(call.target(0)?);
            call.handle_value(imported?)
        })
    }
}

/// `exportKey(handle, target)`
pub(super) unsafe extern "C" fn export_key(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<2>(env, info, |call| {
            call.provider()?.state().vault.export(call.handle(0)?, call.target(1)?)?;
            call.int(0)
        })
    }
}

/// `wrapKey(handle, parent)`: 60 bytes, in the window.
pub(super) unsafe extern "C" fn wrap_key(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<2>(env, info, |call| {
            let mut busy = call.provider()?;
            let state = busy.state();
            let window = state.window(WRAPPED)?;
            state.vault.wrap(call.handle(0)?, call.handle(1)?, window)?;
            call.int(0)
        })
    }
}

/// `unwrapKey(wrapped, parent): handle`
pub(super) unsafe extern "C" fn unwrap_key(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<2>(env, info, |call| {
            let handle = call.provider()?.state().vault.unwrap(call.slice(0)?, call.handle(1)?)?;
            call.handle_value(handle)
        })
    }
}

/// `closeKey(handle)`
pub(super) unsafe extern "C" fn close_key(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<1>(env, info, |call| {
            call.provider()?.state().vault.close_key(call.handle(0)?);
            call.int(0)
        })
    }
}

/// `setTemplate(handle, middle)`
pub(super) unsafe extern "C" fn set_template(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<2>(env, info, |call| {
            let template = Template::new(&call.text(1)?)?;
            call.provider()?.state().vault.set_template(call.handle(0)?, template)?;
            call.int(0)
        })
    }
}

/// `close()`: wipes every key.
pub(super) unsafe extern "C" fn close(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<0>(env, info, |call| {
            let intact = call.provider()?.state().vault.close();
            if intact { call.int(0) } else { Err(Fault::Damaged) }
        })
    }
}
