//! Handles: an index into a table, and a generation that makes a handle of a closed key an error, never another key.

use core::ptr::NonNull;

use crate::fault::{Fault, Outcome};
use crate::rows::template::Template;
use crate::slab::Slot;

/// Generations stay below 2^21, so that a handle is a whole number that a double holds exactly.
const GENERATIONS: u32 = 1 << 21;

/// What JavaScript has of a key: the generation in the upper half, the index in the lower. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(u64);

impl Handle {
    /// From what JavaScript gave.
    pub fn from_number(number: f64) -> Outcome<Self> {
        // A NaN and what is out of range become numbers that no table has.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
        let whole = number as u64;
        Ok(Self(whole))
    }

    /// As JavaScript gets it.
    pub fn to_number(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "it is below 2^53")]
        let number = self.0 as f64;
        number
    }

    /// Different for each key of a provider.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The place in the table.
    pub fn index(self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
        let index = self.0 as u32;
        index
    }

    fn generation(self) -> u64 {
        self.0 >> 32
    }
}

/// Where a key's bytes are.
#[derive(Clone, Copy, Debug)]
pub enum Home {
    /// In the slab.
    Locked(NonNull<Slot>),
    /// Encrypted in ordinary memory, at this place.
    Sealed(u32),
}

/// A key of the table.
pub struct Entry {
    /// Where its bytes are.
    pub home: Home,
    /// Where its context was, last time.
    pub context: u32,
    /// What the text of all rows under it shares.
    pub template: Option<Box<Template>>,
}

struct Row {
    generation: u32,
    entry: Option<Entry>,
}

/// The table.
#[derive(Default)]
pub struct Keys {
    rows: Vec<Row>,
    free: Vec<u32>,
    open: usize,
    most: usize,
}

impl Keys {
    /// How many keys are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// The most that ever were.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The handle that the next key will have.
    pub fn next(&mut self) -> Outcome<Handle> {
        if self.free.is_empty() {
            let index = u32::try_from(self.rows.len()).map_err(|_| Fault::OutOfMemory)?;
            self.rows.try_reserve(1).map_err(|_| Fault::OutOfMemory)?;
            self.free.try_reserve(1).map_err(|_| Fault::OutOfMemory)?;
            self.rows.push(Row { generation: 1, entry: None });
            self.free.push(index);
        }
        let index = *self.free.last().ok_or(Fault::OutOfMemory)?;
        let row = self.row(index).ok_or(Fault::OutOfMemory)?;
        Ok(Handle((u64::from(row.generation) << 32) | u64::from(index)))
    }

    /// Puts a key at the handle that [`Self::next`] gave.
    pub fn put(&mut self, handle: Handle, home: Home) {
        if let Some(row) = self.row(handle.index()) {
            row.entry = Some(Entry { home, context: u32::MAX, template: None });
            self.free.pop();
            self.open = self.open.saturating_add(1);
            self.most = self.most.max(self.open);
        }
    }

    /// The key of a handle.
    pub fn get(&mut self, handle: Handle) -> Outcome<&mut Entry> {
        let row = self.row(handle.index()).ok_or(Fault::KeyClosed)?;
        if u64::from(row.generation) != handle.generation() {
            return Err(Fault::KeyClosed);
        }
        row.entry.as_mut().ok_or(Fault::KeyClosed)
    }

    /// Takes a key out. None: it was closed before.
    pub fn remove(&mut self, handle: Handle) -> Option<Entry> {
        self.get(handle).ok()?;
        let index = handle.index();
        let row = self.row(index)?;
        let entry = row.entry.take();
        row.generation = row.generation.saturating_add(1);
        // A row that has had all its generations is used no more.
        if row.generation < GENERATIONS {
            self.free.push(index);
        }
        self.open = self.open.saturating_sub(1);
        entry
    }

    /// Takes every key out.
    pub fn clear(&mut self) {
        self.rows = Vec::new();
        self.free = Vec::new();
        self.open = 0;
    }

    fn row(&mut self, index: u32) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_row_is_retired_after_its_last_generation() {
        let mut keys = Keys::default();
        for _ in 1..GENERATIONS {
            let handle = keys.next().unwrap();
            assert_eq!(handle.index(), 0);
            assert_eq!(Handle::from_number(handle.to_number()).unwrap(), handle);
            keys.put(handle, Home::Sealed(0));
            assert!(keys.remove(handle).is_some());
        }
        assert_eq!(keys.next().unwrap().index(), 1);
    }

    #[test]
    fn numbers_that_are_no_handles_are_closed_keys() {
        let mut keys = Keys::default();
        let handle = keys.next().unwrap();
        keys.put(handle, Home::Sealed(7));
        for number in [f64::NAN, -1.0, 0.0, 0.5, 1.0, 1e300, f64::INFINITY, handle.to_number() + 1.0] {
            let found = Handle::from_number(number).and_then(|handle| keys.get(handle).map(|_| ()));
            assert_eq!(found, Err(Fault::KeyClosed), "{number}");
        }
        assert!(keys.get(handle).is_ok());
    }

    proptest! {
        #[test]
        fn a_handle_leads_to_its_own_key_or_to_none(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200)) {
            let mut keys = Keys::default();
            let mut open = HashMap::new();
            let mut closed = Vec::new();
            for (step, (opens, which)) in steps.into_iter().enumerate() {
                if opens || open.is_empty() {
                    let handle = keys.next().unwrap();
                    keys.put(handle, Home::Sealed(u32::try_from(step).unwrap()));
                    prop_assert!(open.insert(handle.bits(), step).is_none());
                } else {
                    let mut handles: Vec<u64> = open.keys().copied().collect();
                    handles.sort_unstable();
                    let bits = *which.get(&handles);
                    open.remove(&bits);
                    closed.push(bits);
                    prop_assert!(keys.remove(Handle(bits)).is_some());
                    prop_assert!(keys.remove(Handle(bits)).is_none());
                }
                for (bits, step) in &open {
                    let Home::Sealed(found) = keys.get(Handle(*bits)).unwrap().home else { panic!("another home") };
                    prop_assert_eq!(found, u32::try_from(*step).unwrap());
                }
                for bits in &closed {
                    prop_assert!(keys.get(Handle(*bits)).is_err());
                }
                prop_assert_eq!(keys.open(), open.len());
            }
        }
    }
}
