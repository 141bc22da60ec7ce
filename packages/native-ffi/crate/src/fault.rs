//! What can go wrong, as numbers: they cross the boundary to JavaScript, which makes typed errors of them.

/// A failure. Holds nothing secret; codes stay below 32; `src/native-faults.ts` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Fault {
    /// An argument of a type or a range that the TypeScript layer never passes.
    Argument = 1,
    /// A key that is not 32 bytes long.
    KeyLength = 2,
    /// A wrapped key that is not 60 bytes long.
    WrappedLength = 3,
    /// A tag that does not verify, or a blob that is too short to have one.
    Authentication = 4,
    /// A handle whose key was closed.
    KeyClosed = 5,
    /// The provider was closed.
    ProviderClosed = 6,
    /// Text that is not canonical base64.
    Base64 = 7,
    /// Spans or ends that do not fit what they point into.
    Spans = 8,
    /// More than one JavaScript string or buffer holds.
    TooLong = 9,
    /// A row of a batch that is not of the common form.
    RowForm = 10,
    /// The locked-memory limit is reached, and the option is to throw.
    LockLimit = 11,
    /// Not even one page could be locked.
    Unlockable = 12,
    /// A canary was overwritten.
    Damaged = 13,
    /// This process is a fork of the one that made the provider.
    Forked = 14,
    /// The system gave no random bytes.
    Random = 15,
    /// The system gave no memory.
    OutOfMemory = 16,
    /// Code of ours panicked, and was stopped.
    Panic = 17,
    /// Node-API refused a call.
    NodeApi = 18,
}

impl Fault {
    /// The number that JavaScript sees.
    pub fn code(self) -> i32 {
        self as i32
    }
}

/// What almost everything here returns.
pub type Outcome<T> = Result<T, Fault>;
