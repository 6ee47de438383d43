//! What may be chosen about verification, and what became of the choice.

use core::fmt;

use super::kernel::Kernel;

/// How a verifier works. Any choice gives the same verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The kernel; `None` takes the best that this CPU has.
    pub kernel: Option<Kernel>,
    /// Memory for tables of known keys, bytes: [`KEY_TABLE_BYTES`](super::KEY_TABLE_BYTES) each. Default 64 MB, which is 360 keys.
    pub table_bytes: usize,
    /// One of how many kernel verdicts is checked against `verify_strict`; 0 checks none. Default 1,024.
    pub cross_check: u32,
    /// Signatures after which a key gets a table. With one, a signature costs some 30,000 ticks less, and to build it
    /// takes some 500,000: default 16.
    pub table_after: u32,
    /// How large a table of the base point to begin with. Default long.
    pub base: Base,
}

/// How large the base point's table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// 5.5 MB, which the first verifier of a process takes 20 ms to make: for who verifies much.
    Long,
    /// 180 KB, made in a quarter of a millisecond. No key gets a table; side by side, a signature costs an eighth more than
    /// with the long one.
    Short,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kernel: None, table_bytes: 64 << 20, cross_check: 1024, table_after: 16, base: Base::Long }
    }
}

/// Why a kernel was taken out of use. Verdicts come from ed25519-dalek since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It gave a wrong verdict on a known signature when it was started, and was never used.
    SelfTest(Kernel),
    /// One of its verdicts was not that of `verify_strict`. Those of the same call were decided again.
    CrossCheck(Kernel),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfTest(kernel) => {
                write!(
                    f,
                    "the {kernel} verification kernel failed its self-test on this CPU; dalek serves instead"
                )
            }
            Self::CrossCheck(kernel) => write!(
                f,
                "the {kernel} verification kernel disagreed with verify_strict and is disabled; dalek serves instead"
            ),
        }
    }
}
