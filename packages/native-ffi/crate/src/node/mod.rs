//! The boundary to JavaScript: raw Node-API. `src/binding.ts` has the other side of each function.

mod batch_functions;
mod call;
mod key_functions;
mod panics;
mod provider;
mod register;
mod row_functions;
#[cfg(feature = "test-hooks")]
mod test_hooks;
mod values;
mod work_functions;
