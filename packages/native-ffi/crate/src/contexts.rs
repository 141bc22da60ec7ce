//! Expanded keys in locked memory: a bounded cache for keys in use, and places for work that runs on other threads.

use core::ptr::NonNull;

use crate::aead::{CONTEXT, Context};
use crate::memory::{CANARY, Canary, LockRule, Region};

/// Pages of the first further region; each one is twice the one before.
const FIRST_PAGES: usize = 2;
/// Where a provider stops asking for more: about 400 expanded keys of 4 KiB pages.
const MOST_REGIONS: usize = 5;

/// Whose a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    /// The key with this index in the table.
    Key(u32),
    /// Work on another thread.
    Work,
}

struct Place {
    context: NonNull<Context>,
    owner: Owner,
    used: bool,
}

/// The places.
pub struct Contexts {
    places: Vec<Place>,
    free: Vec<u32>,
    regions: Vec<Region>,
    hand: usize,
    full: bool,
    rule: LockRule,
}

impl Contexts {
    /// With the places that the provider's own page has to spare.
    pub fn new(spare: &[NonNull<Context>], rule: LockRule) -> Self {
        let mut contexts =
            Self { places: Vec::new(), free: Vec::new(), regions: Vec::new(), hand: 0, full: false, rule };
        for context in spare {
            contexts.add(*context);
        }
        contexts
    }

    /// The context that a key was given, if it still has it.
    pub fn of_key(&mut self, place: u32, key: u32) -> Option<NonNull<Context>> {
        let found = self.place(place)?;
        if found.owner != Owner::Key(key) {
            return None;
        }
        found.used = true;
        Some(found.context)
    }

    /// A place for a key. What was there is wiped, and its owner finds out when it next asks.
    pub fn take_for_key(&mut self, key: u32, page: usize, canary: &Canary) -> Option<(u32, NonNull<Context>)> {
        self.take(Owner::Key(key), page, canary)
    }

    /// A place for work on another thread, which has it until it is given back.
    pub fn take_for_work(&mut self, page: usize, canary: &Canary) -> Option<(u32, NonNull<Context>)> {
        self.take(Owner::Work, page, canary)
    }

    /// Wipes a place and gives it back.
    pub fn give_back(&mut self, index: u32) {
        let Some(found) = self.place(index) else { return };
        if found.owner == Owner::Nobody {
            return;
        }
        found.owner = Owner::Nobody;
        // SAFETY: the place lies in a region of ours, and its owner is done with it.
        unsafe { Context::wipe(found.context.as_ptr()) };
        self.free.push(index);
    }

    /// Wipes what belongs to a key, if it is still there.
    pub fn forget_key(&mut self, place: u32, key: u32) {
        if self.of_key(place, key).is_some() {
            self.give_back(place);
        }
    }

    /// Wipes all but what other threads work with.
    pub fn wipe_keys(&mut self) {
        for index in (0..).take(self.places.len()) {
            if self.place(index).is_some_and(|place| matches!(place.owner, Owner::Key(_))) {
                self.give_back(index);
            }
        }
    }

    /// The further regions.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter()
    }

    /// Gives every page back. No place is valid afterwards.
    pub fn clear(&mut self) {
        self.places = Vec::new();
        self.free = Vec::new();
        self.regions = Vec::new();
        self.full = true;
    }

    /// False when a canary was overwritten.
    pub fn is_intact(&self) -> bool {
        self.regions.iter().all(Region::is_intact)
    }

    fn take(&mut self, owner: Owner, page: usize, canary: &Canary) -> Option<(u32, NonNull<Context>)> {
        if self.free.is_empty() {
            self.grow(page, canary);
        }
        let index = self.free.pop().or_else(|| self.evict())?;
        let place = self.place(index)?;
        place.owner = owner;
        place.used = true;
        Some((index, place.context))
    }

    fn place(&mut self, index: u32) -> Option<&mut Place> {
        self.places.get_mut(usize::try_from(index).ok()?)
    }

    fn add(&mut self, context: NonNull<Context>) {
        if let Ok(index) = u32::try_from(self.places.len()) {
            self.places.push(Place { context, owner: Owner::Nobody, used: false });
            self.free.push(index);
        }
    }

    /// More places, if there may be more.
    fn grow(&mut self, page: usize, canary: &Canary) {
        if self.full || self.regions.len() >= MOST_REGIONS {
            return;
        }
        let pages = FIRST_PAGES.saturating_mul(1 << self.regions.len().min(MOST_REGIONS));
        let bytes = pages.saturating_mul(page).saturating_sub(CANARY.saturating_mul(2));
        let Ok(region) = Region::new(bytes, self.rule, canary) else {
            self.full = true;
            return;
        };
        for at in (0..region.len().saturating_sub(CONTEXT)).step_by(CONTEXT) {
            // SAFETY: each context lies whole within the region, whose start is aligned as a context is.
            self.add(unsafe { region.start().add(at) }.cast());
        }
        self.regions.push(region);
    }

    /// The clock algorithm: a key that was not used since the hand last passed goes.
    fn evict(&mut self) -> Option<u32> {
        let rounds = self.places.len().checked_mul(2)?;
        for _ in 0..rounds {
            let at = self.hand;
            self.hand = at.checked_add(1).filter(|next| *next < self.places.len()).unwrap_or(0);
            let place = self.places.get_mut(at)?;
            match place.owner {
                Owner::Work => {}
                _ if place.used => place.used = false,
                _ => {
                    // SAFETY: the place lies in a region of ours; keys are used by this thread only.
                    unsafe { Context::wipe(place.context.as_ptr()) };
                    return u32::try_from(at).ok();
                }
            }
        }
        None
    }
}
