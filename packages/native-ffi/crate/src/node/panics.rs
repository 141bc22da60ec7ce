//! A panic is a fault of ours: it is caught at the boundary, and where it happened is kept for the error's message.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, Once, PoisonError};

use crate::fault::{Fault, Outcome};

thread_local! {
    static HERE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Of the last panic that was caught, on any thread.
static LAST: Mutex<String> = Mutex::new(String::new());
static HOOK: Once = Once::new();

/// Keeps panics quiet: this library has its own copy of Rust's runtime, so nobody else's hook is changed.
pub(super) fn install_hook() {
    HOOK.call_once(|| {
        set_hook(Box::new(|info| {
            // Not the message: it could quote what it was about.
            let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
            HERE.with_borrow_mut(|here| *here = place);
        }));
    });
}

/// Where the last panic was.
pub(super) fn last_place() -> String {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Runs code of ours; a panic becomes [`Fault::Panic`].
pub(super) fn guarded<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        // Dropping a payload may panic again.
        core::mem::forget(payload);
        let place = HERE.try_with(|here| here.try_borrow().map(|here| here.clone()).unwrap_or_default());
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = place.unwrap_or_default();
        Err(Fault::Panic)
    })
}
