//! The page without which there is no provider: its generator, its coffer key, and room for keys that live for one call.

use core::ptr::NonNull;

use crate::aead::{Context, KEY, NONCE};
use crate::fault::{Fault, Outcome};
use crate::memory::{CANARY, Canary, LockRule, Protections, Purpose, Region};
use crate::random::Random;
use crate::wipe::wipe_raw;

/// There, the page is alive: a forked child has zeroes.
const ALIVE: u64 = 0x6173_6865_7261_6831;
/// The smallest page of any system.
const PAGE: usize = 4096;

/// The random bytes of one row.
#[repr(C)]
pub struct RowRandom {
    /// The data row key.
    pub key: [u8; KEY],
    /// For the payload.
    pub data_nonce: [u8; NONCE],
    /// For the data row key.
    pub key_nonce: [u8; NONCE],
}

/// What the page holds.
#[repr(C)]
pub struct Contents {
    alive: u64,
    /// Makes the marks of slots unguessable.
    pub mark: u64,
    /// The provider's generator.
    pub random: Random,
    /// One row's.
    pub row_random: RowRandom,
    /// A key on its way from one place to another.
    pub key: [u8; KEY],
    /// Of the key that encrypts keys beyond the limit.
    pub coffer: Context,
    /// Of a data row key.
    pub row: Context,
    /// Of a parent that has no context of its own.
    pub parent: Context,
    /// The first places of [`crate::contexts::Contexts`].
    pub spare: [Context; 2],
}

const _: () = assert!(size_of::<Contents>() <= PAGE - 2 * CANARY, "the contents must fit into one page");

/// The page.
pub struct CorePage {
    region: Region,
}

impl CorePage {
    /// A locked page; where `allow_unlocked` is set, any page.
    pub fn new(allow_unlocked: bool, unpooled_random: bool, canary: &Canary) -> Outcome<Self> {
        let rule = if allow_unlocked { LockRule::Wanted(Purpose::Core) } else { LockRule::Required(Purpose::Core) };
        let region = Region::new(size_of::<Contents>(), rule, canary).map_err(|fault| match fault {
            Fault::LockLimit => Fault::Unlockable,
            other => other,
        })?;
        let page = Self { region };
        let contents = page.contents().as_ptr();
        // SAFETY: the region is zeroed, aligned and large enough; zeroes are valid contents, and nobody else has them yet.
        // The key is wiped before it is used again.
        unsafe {
            (*contents).alive = ALIVE;
            (*contents).random.set_unpooled(unpooled_random);
            let mut mark = [0; 8];
            (*contents).random.fill(&mut mark)?;
            (*contents).mark = u64::from_ne_bytes(mark);
            (*contents).random.fill(&mut (*contents).key)?;
            let made = Context::init(&raw mut (*contents).coffer, (&raw const (*contents).key).cast());
            wipe_raw((&raw mut (*contents).key).cast(), KEY);
            made?;
        }
        Ok(page)
    }

    /// What it holds. Its parts are used through raw pointers: some are lent to others.
    pub fn contents(&self) -> NonNull<Contents> {
        self.region.start().cast()
    }

    /// False in a forked child.
    pub fn is_alive(&self) -> bool {
        // SAFETY: the contents are there for as long as the page is; where a child has no page at all, the caller has
        // counted forks first.
        unsafe { (&raw const (*self.contents().as_ptr()).alive).read() == ALIVE }
    }

    /// Wipes all but the contexts that were lent.
    pub fn wipe(&self) {
        let contents = self.contents().as_ptr();
        // SAFETY: the fields are ours, and nobody uses them between calls.
        unsafe {
            wipe_raw((&raw mut (*contents).random).cast(), size_of::<Random>());
            wipe_raw((&raw mut (*contents).row_random).cast(), size_of::<RowRandom>());
            wipe_raw((&raw mut (*contents).key).cast(), KEY);
            Context::wipe(&raw mut (*contents).coffer);
            Context::wipe(&raw mut (*contents).row);
            Context::wipe(&raw mut (*contents).parent);
        }
    }

    /// What holds for the page.
    pub fn protections(&self) -> Protections {
        self.region.protections()
    }

    /// False when a canary was overwritten.
    pub fn is_intact(&self) -> bool {
        self.region.is_intact()
    }
}
