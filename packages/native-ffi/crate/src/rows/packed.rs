//! Many rows in one call. A batch of payloads, or of rows as UTF-8 text, is one buffer and where each item ends.

use super::base64;
use super::scan::scan;
use super::text::{self, Pieces, RowText};
use crate::aead::{Input, OVERHEAD, WRAPPED};
use crate::fault::{Fault, Outcome};
use crate::keys::Handle;
use crate::scratch::Scratch;
use crate::vault::Vault;

/// A failure, and the item that it is about, if it is about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedFault {
    /// What.
    pub fault: Fault,
    /// Which.
    pub item: Option<usize>,
}

impl From<Fault> for PackedFault {
    fn from(fault: Fault) -> Self {
        Self { fault, item: None }
    }
}

/// Where items start and end, checked: in order, and the last one at the end of the buffer.
pub fn bounds(ends: &[u32], len: usize) -> Outcome<Vec<(usize, usize)>> {
    let mut bounds = Vec::new();
    bounds.try_reserve_exact(ends.len()).map_err(|_| Fault::OutOfMemory)?;
    let mut start = 0;
    for end in ends {
        let end = usize::try_from(*end).map_err(|_| Fault::Spans)?;
        if end < start || end > len {
            return Err(Fault::Spans);
        }
        bounds.push((start, end));
        start = end;
    }
    if start == len { Ok(bounds) } else { Err(Fault::Spans) }
}

/// How many bytes the rows of a batch of payloads have as text.
pub fn sealed_len(bounds: &[(usize, usize)], created: u64, middle: usize) -> Outcome<usize> {
    let mut sum = 0_usize;
    for (start, end) in bounds {
        let data = end.saturating_sub(*start).checked_add(OVERHEAD).ok_or(Fault::TooLong)?;
        sum = sum.checked_add(text::text_len(created, middle, data)?).ok_or(Fault::TooLong)?;
    }
    if u32::try_from(sum).is_ok() { Ok(sum) } else { Err(Fault::TooLong) }
}

/// What every row of a batch shares.
pub struct Batch<'a> {
    /// The intermediate key.
    pub handle: Handle,
    /// The rows' time, in whole seconds.
    pub created: u64,
    /// The template, as UTF-8.
    pub middle: &'a [u8],
}

/// Encrypts payloads to rows of text, and writes where each one ends.
pub fn seal(
    vault: &mut Vault,
    scratch: &mut Scratch,
    batch: &Batch<'_>,
    payloads: (Input<'_>, &[(usize, usize)]),
    rows: (&mut [u8], &mut [u32]),
) -> Result<(), PackedFault> {
    let (packed, bounds) = payloads;
    let (target, ends) = rows;
    if ends.len() != bounds.len() {
        return Err(Fault::Argument.into());
    }
    let mut pieces = Pieces::of(target);
    let mut end_of_row = 0_usize;
    let mut wrapped = [0; WRAPPED];
    for ((start, end), end_place) in bounds.iter().zip(ends) {
        let payload = packed.part(*start, *end).ok_or(Fault::Spans)?;
        let data = scratch.data(payload.len().checked_add(OVERHEAD).ok_or(Fault::TooLong)?)?;
        vault.seal_row(batch.handle, payload, &mut wrapped, data)?;
        let row = RowText { created: batch.created, wrapped: &wrapped, data };
        let len = text::text_len(batch.created, batch.middle.len(), data.len())?;
        text::write(&row, batch.middle, pieces.take(len)?)?;
        end_of_row = end_of_row.checked_add(len).ok_or(Fault::TooLong)?;
        *end_place = u32::try_from(end_of_row).map_err(|_| Fault::TooLong)?;
    }
    if pieces.is_full() { Ok(()) } else { Err(Fault::Argument.into()) }
}

/// How many bytes the payloads of a batch of rows have.
pub fn opened_len(packed: &[u8], bounds: &[(usize, usize)]) -> Result<usize, PackedFault> {
    let mut sum = 0_usize;
    for (item, (start, end)) in bounds.iter().enumerate() {
        let len = payload_len(packed, *start, *end).map_err(|fault| PackedFault { fault, item: Some(item) })?;
        sum = sum.checked_add(len).ok_or(Fault::TooLong)?;
    }
    Ok(sum)
}

fn payload_len(packed: &[u8], start: usize, end: usize) -> Outcome<usize> {
    let row = scan(packed.get(start..end).ok_or(Fault::Spans)?)?;
    base64::decoded_len(row.data)?.checked_sub(OVERHEAD).ok_or(Fault::Authentication)
}

/// Decrypts rows of text to payloads, and writes where each one ends. After a failure `target` is zeroes.
pub fn open(
    vault: &mut Vault,
    scratch: &mut Scratch,
    handle: Handle,
    rows: (&[u8], &[(usize, usize)]),
    payloads: (&mut [u8], &mut [u32]),
) -> Result<(), PackedFault> {
    let (packed, bounds) = rows;
    let (target, ends) = payloads;
    let opened = open_all(vault, scratch, handle, (packed, bounds), (&mut *target, ends));
    if opened.is_err() {
        crate::wipe::wipe(target);
    }
    opened
}

fn open_all(
    vault: &mut Vault,
    scratch: &mut Scratch,
    handle: Handle,
    rows: (&[u8], &[(usize, usize)]),
    payloads: (&mut [u8], &mut [u32]),
) -> Result<(), PackedFault> {
    let (packed, bounds) = rows;
    let (target, ends) = payloads;
    if ends.len() != bounds.len() {
        return Err(Fault::Argument.into());
    }
    let mut pieces = Pieces::of(target);
    let mut end_of_payload = 0_usize;
    for ((item, (start, end)), end_place) in bounds.iter().enumerate().zip(ends) {
        let mut one = || -> Outcome<usize> {
            let row = scan(packed.get(*start..*end).ok_or(Fault::Spans)?)?;
            let mut wrapped = [0; WRAPPED];
            base64::decode(row.wrapped, &mut wrapped)?;
            let data = scratch.data(base64::decoded_len(row.data)?)?;
            base64::decode(row.data, data)?;
            let len = data.len().checked_sub(OVERHEAD).ok_or(Fault::Authentication)?;
            let room = pieces.take(len)?;
            // SAFETY: the room is a mutable slice of its own.
            unsafe { vault.open_row(handle, &wrapped, data, room.as_mut_ptr(), len)? };
            Ok(len)
        };
        let len = one().map_err(|fault| PackedFault { fault, item: Some(item) })?;
        end_of_payload = end_of_payload.checked_add(len).ok_or(Fault::TooLong)?;
        *end_place = u32::try_from(end_of_payload).map_err(|_| Fault::TooLong)?;
    }
    if pieces.is_full() { Ok(()) } else { Err(Fault::Argument.into()) }
}
