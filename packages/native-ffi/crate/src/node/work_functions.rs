//! Rows whose payload another thread encrypts or decrypts. The key's part is done at once, on the provider's thread.

use core::ffi::c_void;
use core::ptr;
use std::rc::Rc;

use napi_sys::{
    Status, napi_async_work, napi_callback_info, napi_deferred, napi_env, napi_ref, napi_status, napi_value,
};

use super::call::{Call, check, run};
use super::panics::guarded;
use super::provider::Provider;
use super::values;
use crate::aead::{Input, NONCE, OVERHEAD, WRAPPED};
use crate::fault::{Fault, Outcome};
use crate::rows::template::Template;
use crate::rows::text::{self, RowText};
use crate::vault::Work;
use crate::wipe::wipe;

/// Buffers for payloads are kept up to this size, and so many of them: fresh memory costs more than the copy.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
const KEPT_COUNT: usize = 4;

/// What the other thread does.
enum Task {
    Seal { wrapped: [u8; WRAPPED], nonce: [u8; NONCE], created: u64, template: Template, text: Option<RowString> },
    Open { target: *mut u8, room: usize, reference: napi_ref },
}

enum RowString {
    Narrow(Box<[u8]>),
    Wide(Vec<u16>),
}

struct Job {
    provider: Rc<Provider>,
    work: Option<Work>,
    /// A copy of the caller's bytes, which the caller may change, transfer or shrink meanwhile.
    input: Box<[u8]>,
    input_len: usize,
    task: Task,
    outcome: Outcome<()>,
    deferred: napi_deferred,
    async_work: napi_async_work,
}

/// `encryptRowJsonAsync(handle, plaintext, created): Promise<string | number> | number`. 0: no locked place is free for the
/// row's key, so the caller uses the synchronous form.
pub(super) unsafe extern "C" fn encrypt_row_json_async(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<3>(env, info, |call| {
            let provider = call.shared_provider()?;
            let mut busy = call.provider()?;
            let state = busy.state();
            let (handle, plaintext, created) = (call.handle(0)?, call.input(1)?, call.seconds(2)?);
            let template = state.vault.template(handle)?.clone();
            let (input, input_len) = copy(&mut state.spare, plaintext)?;
            let Some(begun) = state.vault.begin_seal(handle)? else { return call.int(0) };
            let task = Task::Seal { wrapped: begun.wrapped, nonce: begun.nonce, created, template, text: None };
            drop(busy);
            start(call, provider, begun.work, (input, input_len), task)
        })
    }
}

/// `decryptRowAsync(handle, wrapped, data, target): Promise<number> | number`; `target` is JavaScript's own until then.
pub(super) unsafe extern "C" fn decrypt_row_async(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: env and info are this callback's.
    unsafe {
        run::<4>(env, info, |call| {
            let provider = call.shared_provider()?;
            let mut busy = call.provider()?;
            let state = busy.state();
            let (handle, wrapped, data, target) = (call.handle(0)?, call.slice(1)?, call.input(2)?, call.target(3)?);
            if data.len().checked_sub(OVERHEAD) != Some(target.len()) {
                return Err(Fault::Authentication);
            }
            let (input, input_len) = copy(&mut state.spare, data)?;
            let Some(work) = state.vault.begin_open(handle, wrapped)? else { return call.int(0) };
            drop(busy);
            let mut reference = ptr::null_mut();
            let status = napi_sys::napi_create_reference(env, call.value(3)?, 1, &raw mut reference);
            if status != Status::napi_ok {
                call.provider()?.state().vault.end_work(work);
                return Err(Fault::NodeApi);
            }
            let task = Task::Open { target: target.as_mut_ptr(), room: target.len(), reference };
            start(call, provider, work, (input, input_len), task)
        })
    }
}

/// A copy of the caller's bytes, in a buffer that may be longer.
fn copy(spare: &mut Vec<Box<[u8]>>, bytes: Input<'_>) -> Outcome<(Box<[u8]>, usize)> {
    let fitting = spare.iter().position(|buffer| buffer.len() >= bytes.len());
    let mut buffer = match fitting {
        Some(at) => spare.swap_remove(at),
        None => values::zeroed(bytes.len())?,
    };
    bytes.copy_to(buffer.get_mut(..bytes.len()).ok_or(Fault::OutOfMemory)?)?;
    Ok((buffer, bytes.len()))
}

/// Queues a job and gives its promise.
///
/// # Safety
///
/// `call` is a running callback.
unsafe fn start<const N: usize>(
    call: &Call<N>,
    provider: Rc<Provider>,
    work: Work,
    (input, input_len): (Box<[u8]>, usize),
    task: Task,
) -> Outcome<napi_value> {
    let job = Box::new(Job {
        provider,
        work: Some(work),
        input,
        input_len,
        task,
        outcome: Err(Fault::Panic),
        deferred: ptr::null_mut(),
        async_work: ptr::null_mut(),
    });
    let env = call.env;
    let job = Box::into_raw(job);
    let mut promise = ptr::null_mut();
    // SAFETY: env is valid during the callback; the job lives until `complete`, or until it is taken back here.
    let queued = unsafe {
        values::latin1(env, b"asherah").and_then(|name| {
            let place = &raw mut (*job).async_work;
            let made = napi_sys::napi_create_async_work(
                env,
                ptr::null_mut(),
                name,
                Some(execute),
                Some(complete),
                job.cast(),
                place,
            );
            check(made, Fault::NodeApi)?;
            check(napi_sys::napi_create_promise(env, &raw mut (*job).deferred, &raw mut promise), Fault::NodeApi)?;
            check(napi_sys::napi_queue_async_work(env, (*job).async_work), Fault::NodeApi)
        })
    };
    if let Err(fault) = queued {
        // SAFETY: it was not queued, so nobody else has the job.
        unsafe { finish(env, *Box::from_raw(job)) };
        return Err(fault);
    }
    Ok(promise)
}

/// On another thread.
unsafe extern "C" fn execute(_env: napi_env, data: *mut c_void) {
    // SAFETY: between queueing and completion the job is this thread's alone. What it has of the provider is not touched.
    let job = unsafe { &mut *data.cast::<Job>() };
    job.outcome = guarded(|| perform(job.work.as_ref(), &job.input, job.input_len, &mut job.task));
    // What was copied may be plaintext; ciphertext does not mind.
    wipe(job.input.get_mut(..job.input_len).unwrap_or_default());
}

fn perform(work: Option<&Work>, input: &[u8], input_len: usize, task: &mut Task) -> Outcome<()> {
    let context = work.ok_or(Fault::Argument)?.context();
    let input = input.get(..input_len).ok_or(Fault::Argument)?;
    match task {
        Task::Open { target, room, .. } => {
            // SAFETY: the reference keeps the array alive, and JavaScript shows it to nobody before the promise settles.
            unsafe { context.open_to(input, *target, *room) }
        }
        Task::Seal { wrapped, nonce, created, template, text } => {
            let mut data = values::zeroed(input.len().checked_add(OVERHEAD).ok_or(Fault::TooLong)?)?;
            context.seal(Input::from(input), nonce, &mut data)?;
            let row = RowText { created: *created, wrapped: &*wrapped, data: &data };
            *text = Some(match template {
                Template::Narrow(middle) => {
                    let mut narrow = values::zeroed(text::text_len(*created, middle.len(), data.len())?)?;
                    text::write(&row, middle, &mut narrow)?;
                    RowString::Narrow(narrow)
                }
                Template::Wide(_) => RowString::Wide(text::to_utf16(&row, template)?),
            });
            Ok(())
        }
    }
}

/// Back on the provider's thread.
unsafe extern "C" fn complete(env: napi_env, status: napi_status, data: *mut c_void) {
    // SAFETY: `execute` is over, or will never run: the job is ours again.
    let mut job = unsafe { Box::from_raw(data.cast::<Job>()) };
    let deferred = job.deferred;
    let outcome = if status == Status::napi_ok { job.outcome } else { Err(Fault::ProviderClosed) };
    let text = if let Task::Seal { text, .. } = &mut job.task { text.take() } else { None };
    let _ = guarded(|| {
        // SAFETY: env is valid and has a handle scope; in an environment that ends, calls fail, and nobody is waiting.
        unsafe {
            let value = outcome
                .and_then(|()| match text {
                    Some(RowString::Narrow(text)) if text.len() < values::LARGE_TEXT => values::latin1(env, &text),
                    Some(RowString::Narrow(text)) => values::external_latin1(env, text),
                    Some(RowString::Wide(text)) => values::utf16(env, &text),
                    None => values::int(env, 0),
                })
                .or_else(|fault| values::int(env, fault.code().saturating_neg()))?;
            check(napi_sys::napi_resolve_deferred(env, deferred, value), Fault::NodeApi)
        }
    });
    // SAFETY: as above.
    unsafe { finish(env, *job) };
}

/// Gives back what a job had.
///
/// # Safety
///
/// `env` is valid, on the provider's thread, and the job is not queued.
unsafe fn finish(env: napi_env, mut job: Job) {
    // SAFETY: the reference and the work are the job's; deleting them in an environment that ends is allowed.
    unsafe {
        if let Task::Open { reference, .. } = job.task {
            napi_sys::napi_delete_reference(env, reference);
        }
        if !job.async_work.is_null() {
            napi_sys::napi_delete_async_work(env, job.async_work);
        }
    }
    let input = core::mem::take(&mut job.input);
    let work = job.work.take();
    let _ = guarded(|| {
        let mut busy = job.provider.enter()?;
        let state = busy.state();
        if let Some(work) = work {
            state.vault.end_work(work);
        }
        if input.len() <= KEPT_BYTES && state.spare.len() < KEPT_COUNT && !state.vault.is_closed() {
            state.spare.push(input);
        }
        Ok(())
    });
}
