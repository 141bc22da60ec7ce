//! Pages from the system: guarded, locked, kept out of core dumps and of forked children.

mod accounting;
mod region;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

#[cfg(test)]
pub(crate) mod tests;

pub use accounting::{Purpose, locked_bytes, locked_high_water};
pub use region::{CANARY, Canary, LockRule, Protections, Region};
#[cfg(windows)]
pub use system::stay_loaded;
pub use system::{fork_count, lock_limit, page_size, watch_forks};
