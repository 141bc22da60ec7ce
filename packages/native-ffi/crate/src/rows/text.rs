//! Writes a row's text.

use super::base64;
use super::template::{Digits, HEAD, TAIL, Template, WRAPPED};
use crate::aead;
use crate::fault::{Fault, Outcome};

/// Hands out a slice from its front on.
pub struct Pieces<'a> {
    rest: &'a mut [u8],
}

impl<'a> Pieces<'a> {
    /// Of this slice.
    pub fn of(rest: &'a mut [u8]) -> Self {
        Self { rest }
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Outcome<&'a mut [u8]> {
        let (piece, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(len).ok_or(Fault::Argument)?;
        self.rest = rest;
        Ok(piece)
    }

    /// Copies bytes there.
    pub fn put(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.take(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// True when nothing is left.
    pub fn is_full(&self) -> bool {
        self.rest.is_empty()
    }
}

/// What a row's text has beside its template.
pub struct RowText<'a> {
    /// The data row key's time, in whole seconds.
    pub created: u64,
    /// The data row key under the intermediate key.
    pub wrapped: &'a [u8],
    /// The payload under the data row key.
    pub data: &'a [u8],
}

/// How many characters a row's text has.
pub fn text_len(created: u64, middle: usize, data: usize) -> Outcome<usize> {
    let parts = [
        HEAD.len(),
        Digits::new(created).as_slice().len(),
        WRAPPED.len(),
        base64::encoded_len(aead::WRAPPED).ok_or(Fault::TooLong)?,
        middle,
        base64::encoded_len(data).ok_or(Fault::TooLong)?,
        TAIL.len(),
    ];
    parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(*part)).ok_or(Fault::TooLong)
}

/// Writes a row's text, whose middle is `middle` as it stands, to exactly the room it needs.
pub fn write(row: &RowText<'_>, middle: &[u8], text: &mut [u8]) -> Outcome<()> {
    let mut pieces = Pieces::of(text);
    write_start(row, &mut pieces)?;
    pieces.put(middle)?;
    write_end(row, &mut pieces)?;
    if pieces.is_full() { Ok(()) } else { Err(Fault::Argument) }
}

/// As UTF-16, for a template that is not Latin-1.
pub fn to_utf16(row: &RowText<'_>, template: &Template) -> Outcome<Vec<u16>> {
    let len = text_len(row.created, 0, row.data.len())?;
    let mut narrow = Vec::new();
    narrow.try_reserve_exact(len).map_err(|_| Fault::OutOfMemory)?;
    narrow.resize(len, 0);
    write(row, &[], &mut narrow)?;
    // What comes before the middle has the length of a text whose middle and data are empty, without the end.
    let start = text_len(row.created, 0, 0)?.saturating_sub(TAIL.len());
    let (before, after) = narrow.split_at_checked(start).ok_or(Fault::Argument)?;
    let mut wide = Vec::new();
    wide.try_reserve_exact(len.saturating_add(template.len())).map_err(|_| Fault::OutOfMemory)?;
    wide.extend(before.iter().copied().map(u16::from));
    match template {
        Template::Narrow(bytes) => wide.extend(bytes.iter().copied().map(u16::from)),
        Template::Wide(units) => wide.extend_from_slice(units),
    }
    wide.extend(after.iter().copied().map(u16::from));
    Ok(wide)
}

fn write_start(row: &RowText<'_>, pieces: &mut Pieces<'_>) -> Outcome<()> {
    pieces.put(HEAD)?;
    pieces.put(Digits::new(row.created).as_slice())?;
    pieces.put(WRAPPED)?;
    let room = pieces.take(base64::encoded_len(row.wrapped.len()).ok_or(Fault::TooLong)?)?;
    base64::encode(row.wrapped, room)
}

fn write_end(row: &RowText<'_>, pieces: &mut Pieces<'_>) -> Outcome<()> {
    let room = pieces.take(base64::encoded_len(row.data.len()).ok_or(Fault::TooLong)?)?;
    base64::encode(row.data, room)?;
    pieces.put(TAIL)
}
