//! Asherah's `CryptoProvider` in native code, over raw Node-API: keys in locked memory, one call a row.
//!
//! Nothing here trusts its input: lengths are checked, and no panic crosses the boundary.

// A test binary is without the boundary to JavaScript, which uses the rest.
#![cfg_attr(test, allow(dead_code, unused_imports))]

mod aead;
mod contexts;
mod fault;
mod keys;
mod memory;
// Node-API's functions are in the executable that loads this: a test binary has none.
#[cfg(not(test))]
mod node;
mod random;
mod rows;
mod scratch;
mod sealed;
mod slab;
#[cfg(test)]
mod test_turn;
mod vault;
mod wipe;
