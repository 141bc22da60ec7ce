//! Finds the two base64 texts of a row that is written as this library, Go and Rust write it: compact, in their order, and
//! without escapes in front of the data. Anything else is another reader's affair.

use super::template::{HEAD, TAIL, WRAPPED};
use crate::aead;
use crate::fault::{Fault, Outcome};

const PARENT: &[u8] = b"\",\"ParentKeyMeta\":{\"KeyId\":\"";
const PARENT_CREATED: &[u8] = b"\",\"Created\":";
const DATA: &[u8] = b"}},\"Data\":\"";
const WRAPPED_TEXT: usize = aead::WRAPPED / 3 * 4;

/// The two texts.
#[derive(Debug, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// Of the wrapped key.
    pub wrapped: &'a [u8],
    /// Of the payload.
    pub data: &'a [u8],
}

/// Whose key id a row names is not looked at: a row under another key does not authenticate.
pub fn scan(row: &[u8]) -> Outcome<Scanned<'_>> {
    parse(row).ok_or(Fault::RowForm)
}

fn parse(row: &[u8]) -> Option<Scanned<'_>> {
    let rest = row.strip_prefix(HEAD)?;
    let rest = skip_digits(rest)?.strip_prefix(WRAPPED)?;
    let (wrapped, rest) = rest.split_at_checked(WRAPPED_TEXT)?;
    let rest = skip_text(rest.strip_prefix(PARENT)?)?;
    let rest = skip_digits(rest.strip_prefix(PARENT_CREATED)?)?;
    let data = rest.strip_prefix(DATA)?.strip_suffix(TAIL)?;
    Some(Scanned { wrapped, data })
}

fn skip_digits(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    // No number starts with a zero: no key is from 1970.
    if number.is_empty() || number.first() == Some(&b'0') { None } else { Some(rest) }
}

/// To the quote that ends a JSON text.
fn skip_text(text: &[u8]) -> Option<&[u8]> {
    let mut at = 0_usize;
    loop {
        match text.get(at)? {
            b'"' if at > 0 => return text.get(at..),
            b'"' | 0..0x20 => return None,
            b'\\' => at = at.checked_add(2)?,
            _ => at = at.checked_add(1)?,
        }
    }
}
