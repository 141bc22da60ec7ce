//! What a provider has, for those who ask.

use super::Vault;
use crate::memory::{Protections, Region};

/// Keys, and what holds for their memory.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Keys that are open.
    pub keys: usize,
    /// The most that ever were.
    pub most_keys: usize,
    /// Of those that are open, how many are encrypted in ordinary memory.
    pub sealed_keys: usize,
    /// What holds for its memory: the weakest.
    pub protections: Protections,
    /// No canary was overwritten.
    pub intact: bool,
}

impl Default for Report {
    /// Of no provider.
    fn default() -> Self {
        Self { keys: 0, most_keys: 0, sealed_keys: 0, protections: Protections::ALL, intact: true }
    }
}

impl Report {
    /// Counts another provider in.
    pub fn add(&mut self, other: &Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.most_keys = self.most_keys.max(other.most_keys);
        self.sealed_keys = self.sealed_keys.saturating_add(other.sealed_keys);
        self.protections = self.protections.and(other.protections);
        self.intact &= other.intact;
    }
}

impl Vault {
    /// What it has. None: it is closed, or not this process's.
    pub fn report(&self) -> Option<Report> {
        self.contents().ok()?;
        let page = self.core.as_ref()?.protections();
        let regions = self.slab.chunks().chain(self.contexts.regions());
        Some(Report {
            keys: self.keys.open(),
            most_keys: self.keys.most(),
            sealed_keys: self.sealed.open(),
            protections: regions.map(Region::protections).fold(page, Protections::and),
            intact: self.is_intact(),
        })
    }

    /// How many open keys are encrypted in ordinary memory.
    pub fn sealed_keys(&self) -> usize {
        self.sealed.open()
    }
}
