//! Buffers that are used again for each row: they hold ciphertext and its text, never plaintext or keys.

use crate::fault::{Fault, Outcome};

/// Longer buffers are given back after the row that needed them.
const KEPT: usize = 256 * 1024;

/// For ciphertext, and for text that is being written.
#[derive(Default)]
pub struct Scratch {
    data: Vec<u8>,
    text: Vec<u8>,
}

impl Scratch {
    /// For ciphertext.
    pub fn data(&mut self, len: usize) -> Outcome<&mut [u8]> {
        grown(&mut self.data, len)
    }

    /// For ciphertext, and for its text.
    pub fn data_and_text(&mut self, data: usize, text: usize) -> Outcome<(&mut [u8], &mut [u8])> {
        Ok((grown(&mut self.data, data)?, grown(&mut self.text, text)?))
    }

    /// Gives long buffers back.
    pub fn trim(&mut self) {
        trim(&mut self.data);
        trim(&mut self.text);
    }
}

/// For text that is being read.
#[derive(Default)]
pub struct TextScratch {
    bytes: Vec<u8>,
    units: Vec<u16>,
}

impl TextScratch {
    /// For text of one byte a character.
    pub fn bytes(&mut self, len: usize) -> Outcome<&mut [u8]> {
        grown(&mut self.bytes, len)
    }

    /// For UTF-16, and for as many bytes.
    pub fn units_and_bytes(&mut self, len: usize) -> Outcome<(&mut [u16], &mut [u8])> {
        Ok((grown(&mut self.units, len)?, grown(&mut self.bytes, len)?))
    }

    /// Gives long buffers back.
    pub fn trim(&mut self) {
        trim(&mut self.bytes);
        trim(&mut self.units);
    }
}

fn trim<T>(buffer: &mut Vec<T>) {
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}

fn grown<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> Outcome<&mut [T]> {
    if buffer.len() < len {
        let missing = len.saturating_sub(buffer.len());
        buffer.try_reserve_exact(missing).map_err(|_| Fault::OutOfMemory)?;
        buffer.resize(len, T::default());
    }
    buffer.get_mut(..len).ok_or(Fault::OutOfMemory)
}
