//! Standard base64 in its one canonical form: padded, no white space, zero trailing bits.

use base64_simd::{AsOut, STANDARD};

use crate::fault::{Fault, Outcome};

/// How many characters `len` bytes have. None: more than memory holds.
pub fn encoded_len(len: usize) -> Option<usize> {
    len.div_ceil(3).checked_mul(4)
}

/// How many bytes a text stands for, if its length and its end are those of canonical base64.
pub fn decoded_len(text: &[u8]) -> Outcome<usize> {
    if !text.len().is_multiple_of(4) {
        return Err(Fault::Base64);
    }
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let groups = text.len().checked_div(4).unwrap_or(0);
    Ok(groups.saturating_mul(3).saturating_sub(padding))
}

/// Writes the text of `bytes` to `text`, which has exactly the room it needs.
pub fn encode(bytes: &[u8], text: &mut [u8]) -> Outcome<()> {
    if encoded_len(bytes.len()) != Some(text.len()) {
        return Err(Fault::Argument);
    }
    // Exact room: the library panics where there is too little.
    let written = STANDARD.encode(bytes, text.as_out()).len();
    if encoded_len(bytes.len()) == Some(written) { Ok(()) } else { Err(Fault::Argument) }
}

/// Decodes `text` to `bytes`, which has exactly the room it needs.
pub fn decode(text: &[u8], bytes: &mut [u8]) -> Outcome<()> {
    if decoded_len(text)? != bytes.len() {
        return Err(Fault::Base64);
    }
    let room = bytes.len();
    match STANDARD.decode(text, bytes.as_out()) {
        Ok(decoded) if decoded.len() == room => Ok(()),
        _ => Err(Fault::Base64),
    }
}

/// Makes bytes of UTF-16 text that must be ASCII: a wider character would pass for another if its upper byte were dropped.
pub fn narrow(text: &[u16], bytes: &mut [u8]) -> Outcome<()> {
    if text.len() != bytes.len() {
        return Err(Fault::Argument);
    }
    let mut all = 0;
    for (byte, unit) in bytes.iter_mut().zip(text) {
        all |= *unit;
        #[expect(clippy::cast_possible_truncation, reason = "what is lost is looked at below")]
        let low = *unit as u8;
        *byte = low;
    }
    if all < 0x80 { Ok(()) } else { Err(Fault::Base64) }
}
