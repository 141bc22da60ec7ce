//! The part of a row's text that all rows under one intermediate key share.

use crate::fault::{Fault, Outcome};

/// Everything before the data row key's time.
pub const HEAD: &[u8] = b"{\"Key\":{\"Created\":";
/// Between that time and the wrapped key.
pub const WRAPPED: &[u8] = b",\"Key\":\"";
/// After the data.
pub const TAIL: &[u8] = b"\"}";

/// The longest a key's id may reasonably be makes a middle far shorter than this.
const LONGEST: usize = 16 * 1024 * 1024;

/// From the quote that ends the wrapped key to the one that opens the data: it holds the intermediate key's id and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// All of it is Latin-1, one byte a character.
    Narrow(Box<[u8]>),
    /// Some of it is not.
    Wide(Box<[u16]>),
}

impl Template {
    /// From a JavaScript string's UTF-16.
    pub fn new(middle: &[u16]) -> Outcome<Self> {
        if middle.is_empty() || middle.len() > LONGEST {
            return Err(Fault::Argument);
        }
        let narrow: Result<Vec<u8>, _> = middle.iter().map(|unit| u8::try_from(*unit)).collect();
        Ok(match narrow {
            Ok(bytes) => Self::Narrow(bytes.into()),
            Err(_) => Self::Wide(middle.into()),
        })
    }

    /// How many UTF-16 units it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Narrow(bytes) => bytes.len(),
            Self::Wide(units) => units.len(),
        }
    }

    /// As UTF-8.
    pub fn to_utf8(&self) -> Outcome<Vec<u8>> {
        let text: String = match self {
            Self::Narrow(bytes) => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Self::Wide(units) => String::from_utf16(units).map_err(|_| Fault::Argument)?,
        };
        Ok(text.into_bytes())
    }
}

/// The decimal digits of a time in whole seconds.
pub struct Digits {
    bytes: [u8; 20],
    from: usize,
}

impl Digits {
    /// Of any number.
    pub fn new(mut value: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; 20], from: 20 };
        for (at, byte) in digits.bytes.iter_mut().enumerate().rev() {
            let digit = (value % 10) as u8;
            *byte = b'0' | digit;
            digits.from = at;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        digits
    }

    /// The digits.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }
}
