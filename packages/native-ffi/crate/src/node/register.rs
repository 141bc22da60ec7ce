//! What `process.dlopen` finds: the version, the process's memory, and a function that makes providers.

use core::cell::RefCell;
use core::ffi::c_void;
use core::ptr;
use std::rc::{Rc, Weak};

use napi_sys::{napi_callback, napi_callback_info, napi_env, napi_value};

use super::call::{check, run};
use super::provider::Provider;
use super::{batch_functions, key_functions, panics, row_functions, values, work_functions};
use crate::fault::{Fault, Outcome};
use crate::memory;
use crate::vault::{Report, Rules};

type Function = unsafe extern "C" fn(napi_env, napi_callback_info) -> napi_value;

const PROVIDER_FUNCTIONS: &[(&str, Function)] = &[
    ("generateKey", key_functions::generate_key),
    ("importKey", key_functions::import_key),
    ("exportKey", key_functions::export_key),
    ("wrapKey", key_functions::wrap_key),
    ("unwrapKey", key_functions::unwrap_key),
    ("closeKey", key_functions::close_key),
    ("setTemplate", key_functions::set_template),
    ("close", key_functions::close),
    ("encryptRow", row_functions::encrypt_row),
    ("encryptRowJson", row_functions::encrypt_row_json),
    ("decryptRow", row_functions::decrypt_row),
    ("decryptRowJson", row_functions::decrypt_row_json),
    ("decryptRowBytes", row_functions::decrypt_row_bytes),
    ("encryptRowJsonAsync", work_functions::encrypt_row_json_async),
    ("decryptRowAsync", work_functions::decrypt_row_async),
    ("sealedLength", batch_functions::sealed_length),
    ("encryptRowsPacked", batch_functions::encrypt_rows_packed),
    ("openedLength", batch_functions::opened_length),
    ("decryptRowsPacked", batch_functions::decrypt_rows_packed),
    ("sealedKeys", sealed_keys),
];

const MODULE_FUNCTIONS: &[(&str, Function)] =
    &[("createProvider", create_provider), ("memory", memory_counts), ("lastPanic", last_panic)];

/// The providers of one environment.
struct Environment {
    providers: RefCell<Vec<Weak<Provider>>>,
}

/// Node-API calls this once for each environment: the main thread's, and each worker's.
///
/// # Safety
///
/// As Node-API promises: `env` and `exports` are valid, and a handle scope is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(env: napi_env, exports: napi_value) -> napi_value {
    #[cfg(windows)]
    memory::stay_loaded();
    #[cfg(target_env = "msvc")]
    {
        // SAFETY: the executable is never unloaded, so its handle may be forgotten.
        core::mem::forget(panics::guarded(|| Ok(unsafe { napi_sys::setup() })));
    }
    panics::install_hook();
    // SAFETY: promised by the caller.
    let _ = panics::guarded(|| unsafe { register(env, exports) });
    exports
}

/// The Node-API version that this code needs: external strings are of version 10, and every supported Node has them.
#[unsafe(no_mangle)]
pub extern "C" fn node_api_module_get_api_version_v1() -> i32 {
    8
}

unsafe fn register(env: napi_env, exports: napi_value) -> Outcome<()> {
    let environment = Box::into_raw(Box::new(Environment { providers: RefCell::default() }));
    // SAFETY: env is valid; the box lives until the hook, which is the last to use it.
    unsafe {
        let hooked = napi_sys::napi_add_env_cleanup_hook(env, Some(end_environment), environment.cast());
        check(hooked, Fault::NodeApi)?;
        let stored = napi_sys::napi_set_instance_data(env, environment.cast(), None, ptr::null_mut());
        check(stored, Fault::NodeApi)?;
        set(env, exports, "version", values::latin1(env, env!("ASHERAH_NATIVE_VERSION").as_bytes())?)?;
        for (name, function) in MODULE_FUNCTIONS {
            set(env, exports, name, make(env, name, Some(*function), ptr::null_mut())?)?;
        }
        #[cfg(feature = "test-hooks")]
        for (name, function) in super::test_hooks::MODULE_FUNCTIONS {
            set(env, exports, name, make(env, name, Some(*function), ptr::null_mut())?)?;
        }
    }
    Ok(())
}

/// The end of the main thread or of a worker: its keys are wiped, and nobody else's.
unsafe extern "C" fn end_environment(data: *mut c_void) {
    // SAFETY: the data is `register`'s box, and this is the last use of it.
    let environment = unsafe { Box::from_raw(data.cast::<Environment>()) };
    let _ = panics::guarded(|| {
        for provider in environment.providers.borrow().iter().filter_map(Weak::upgrade) {
            provider.enter()?.state().vault.close();
        }
        Ok(())
    });
}

/// `createProvider(window, throwAtLimit, allowUnlocked, unpooledRandom): object | number`
unsafe extern "C" fn create_provider(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<4>(env, info, |call| {
            let rules =
                Rules { throw_at_limit: call.flag(1)?, allow_unlocked: call.flag(2)?, unpooled_random: call.flag(3)? };
            let (start, len) = call.bytes(0)?;
            let provider = Rc::new(Provider::new(env, call.value(0)?, start, len, rules)?);
            let mut data = ptr::null_mut();
            check(napi_sys::napi_get_instance_data(env, &raw mut data), Fault::NodeApi)?;
            let environment = data.cast_const().cast::<Environment>().as_ref().ok_or(Fault::NodeApi)?;
            let mut providers = environment.providers.borrow_mut();
            providers.retain(|known| known.strong_count() > 0);
            providers.push(Rc::downgrade(&provider));
            let mut object = ptr::null_mut();
            check(napi_sys::napi_create_object(env, &raw mut object), Fault::NodeApi)?;
            for (name, function) in PROVIDER_FUNCTIONS {
                let value = make_for(env, name, *function, &provider)?;
                set(env, object, name, value)?;
            }
            #[cfg(feature = "test-hooks")]
            for (name, function) in super::test_hooks::PROVIDER_FUNCTIONS {
                let value = make_for(env, name, *function, &provider)?;
                set(env, object, name, value)?;
            }
            Ok(object)
        })
    }
}

/// A function that keeps its provider alive.
unsafe fn make_for(env: napi_env, name: &str, function: Function, provider: &Rc<Provider>) -> Outcome<napi_value> {
    unsafe extern "C" fn drop_provider(_env: napi_env, data: *mut c_void, _hint: *mut c_void) {
        let _ = panics::guarded(|| {
            // SAFETY: the data is one count of an Rc, which the function had.
            drop(unsafe { Rc::from_raw(data.cast_const().cast::<Provider>()) });
            Ok(())
        });
    }
    let data = Rc::into_raw(Rc::clone(provider)).cast_mut().cast::<c_void>();
    // SAFETY: env is valid; the finalizer takes the count back, or this does.
    unsafe {
        let added = make(env, name, Some(function), data).and_then(|value| {
            let status =
                napi_sys::napi_add_finalizer(env, value, data, Some(drop_provider), ptr::null_mut(), ptr::null_mut());
            check(status, Fault::NodeApi).map(|()| value)
        });
        if added.is_err() {
            drop(Rc::from_raw(data.cast_const().cast::<Provider>()));
        }
        added
    }
}

unsafe fn make(env: napi_env, name: &str, function: napi_callback, data: *mut c_void) -> Outcome<napi_value> {
    let mut value = ptr::null_mut();
    let len = name.len().cast_signed();
    // SAFETY: env is valid, and V8 copies the name.
    let status =
        unsafe { napi_sys::napi_create_function(env, name.as_ptr().cast(), len, function, data, &raw mut value) };
    check(status, Fault::NodeApi)?;
    Ok(value)
}

unsafe fn set(env: napi_env, object: napi_value, name: &str, value: napi_value) -> Outcome<()> {
    // SAFETY: env, object and value are valid.
    unsafe {
        let key = values::latin1(env, name.as_bytes())?;
        check(napi_sys::napi_set_property(env, object, key, value), Fault::NodeApi)
    }
}

unsafe fn object_of(env: napi_env, fields: &[(&str, f64)]) -> Outcome<napi_value> {
    let mut object = ptr::null_mut();
    // SAFETY: env is valid.
    unsafe {
        check(napi_sys::napi_create_object(env, &raw mut object), Fault::NodeApi)?;
        for (name, value) in fields {
            set(env, object, name, values::double(env, *value)?)?;
        }
    }
    Ok(object)
}

#[expect(clippy::cast_precision_loss, reason = "counts of memory are far below 2^53")]
fn count(value: usize) -> f64 {
    value as f64
}

/// `sealedKeys(): number`: how many open keys are encrypted in ordinary memory.
unsafe extern "C" fn sealed_keys(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe { run::<0>(env, info, |call| call.length(call.provider()?.state().vault.sealed_keys())) }
}

/// `memory(): { … }`: what this environment's providers have, and what the process has locked through this library. Flags
/// are 0 or 1; a limit of -1: none.
unsafe extern "C" fn memory_counts(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<0>(env, info, |_| {
            let (providers, Report { keys, most_keys, sealed_keys, protections, intact }) = total(env)?;
            #[expect(clippy::cast_precision_loss, reason = "a limit that large is as good as the nearest double")]
            let limit = memory::lock_limit().map_or(-1.0, |limit| limit as f64);
            object_of(
                env,
                &[
                    ("providers", count(providers)),
                    ("keys", count(keys)),
                    ("mostKeys", count(most_keys)),
                    ("sealedKeys", count(sealed_keys)),
                    ("locked", protections.locked.into()),
                    ("lockVerified", protections.lock_verified.into()),
                    ("outOfDumps", protections.out_of_dumps.into()),
                    ("keptFromChildren", protections.kept_from_children.into()),
                    ("intact", intact.into()),
                    ("lockedBytes", count(memory::locked_bytes())),
                    ("mostLockedBytes", count(memory::locked_high_water())),
                    ("limitBytes", limit),
                ],
            )
        })
    }
}

/// How many providers an environment has, and what they have together; of protections, the weakest.
unsafe fn total(env: napi_env) -> Outcome<(usize, Report)> {
    let mut data = ptr::null_mut();
    // SAFETY: env is valid, and its instance data is an Environment until its end.
    let environment = unsafe {
        check(napi_sys::napi_get_instance_data(env, &raw mut data), Fault::NodeApi)?;
        data.cast_const().cast::<Environment>().as_ref().ok_or(Fault::NodeApi)?
    };
    let mut sum = Report::default();
    let mut providers = 0_usize;
    for provider in environment.providers.borrow().iter().filter_map(Weak::upgrade) {
        if let Some(report) = provider.enter()?.state().vault.report() {
            sum.add(&report);
            providers = providers.saturating_add(1);
        }
    }
    Ok((providers, sum))
}

/// `lastPanic(): string`: the line of ours that panicked last.
unsafe extern "C" fn last_panic(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe { run::<0>(env, info, |_| values::latin1(env, panics::last_place().as_bytes())) }
}
