//! What the functions of one JavaScript provider share.

use core::cell::{Cell, UnsafeCell};
use core::ptr;

use napi_sys::{napi_env, napi_ref, napi_value};

use super::call::check;
use crate::fault::{Fault, Outcome};
use crate::scratch::{Scratch, TextScratch};
use crate::vault::{Rules, Vault};

/// Its state. Lives on the thread of its environment.
pub(super) struct Provider {
    state: UnsafeCell<State>,
    busy: Cell<bool>,
    env: napi_env,
    window: napi_ref,
}

/// What is used by one call at a time.
pub(super) struct State {
    pub(super) vault: Vault,
    pub(super) scratch: Scratch,
    pub(super) text: TextScratch,
    /// Buffers for payloads on their way to another thread.
    pub(super) spare: Vec<Box<[u8]>>,
    window: *mut u8,
    window_len: usize,
}

/// The state, for one call.
pub(super) struct Busy<'a> {
    provider: &'a Provider,
}

impl Provider {
    /// `window` is a `Uint8Array` that JavaScript keeps to itself: small results are left there for it to copy.
    ///
    /// # Safety
    ///
    /// `env` is valid; `start` and `len` are the bytes of `window`.
    pub(super) unsafe fn new(
        env: napi_env,
        window: napi_value,
        start: *mut u8,
        len: usize,
        rules: Rules,
    ) -> Outcome<Self> {
        let vault = Vault::new(rules)?;
        let mut reference = ptr::null_mut();
        // SAFETY: promised by the caller. The reference keeps the array, and so its memory, alive.
        check(unsafe { napi_sys::napi_create_reference(env, window, 1, &raw mut reference) }, Fault::NodeApi)?;
        let state = State {
            vault,
            scratch: Scratch::default(),
            text: TextScratch::default(),
            spare: Vec::new(),
            window: start,
            window_len: len,
        };
        Ok(Self { state: UnsafeCell::new(state), busy: Cell::new(false), env, window: reference })
    }

    /// The state, unless a call is using it: none of them calls back into JavaScript, so none should.
    pub(super) fn enter(&self) -> Outcome<Busy<'_>> {
        if self.busy.replace(true) {
            return Err(Fault::NodeApi);
        }
        Ok(Busy { provider: self })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // SAFETY: providers are dropped by finalizers and by completed work, on their own thread, with a valid env.
        unsafe { napi_sys::napi_delete_reference(self.env, self.window) };
    }
}

impl Busy<'_> {
    pub(super) fn state(&mut self) -> &mut State {
        // SAFETY: `busy` lets one guard exist at a time, and this borrows it mutably.
        unsafe { &mut *self.provider.state.get() }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.provider.busy.set(false);
    }
}

impl State {
    /// The first bytes of the window.
    pub(super) fn window(&mut self, len: usize) -> Outcome<&'static mut [u8]> {
        if len > self.window_len {
            return Err(Fault::Argument);
        }
        // SAFETY: the window has that many bytes, alive as long as the provider; JavaScript reads them between calls only,
        // and each call asks once.
        Ok(unsafe { core::slice::from_raw_parts_mut(self.window, len) })
    }
}
