//! Rows as text and in batches: the wire form of a data row record, as Go and Rust write it.

pub mod base64;
pub mod packed;
pub mod scan;
pub mod template;
pub mod text;

#[cfg(test)]
mod tests;
