//! What an authority grants to a member, as it stands in a credential.
//!
//! ```text
//!  0  serial u64                         40  rights u32
//!  8  member, 16                         44  name's length u8, 45 runs u8, 46 two zeros
//! 24  from u32, 28 until u32: seconds    48  name
//!     since 1970                             runs: first u32, len u32
//! 32  grace u32, seconds                     signatures, 80 each (see `endorsement`)
//! 36  region u16, 38 roles u16
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use octick_crypto::NodeId;

use super::endorsement::Invalid;
use crate::limits::{CREDENTIAL_FIXED, GRANTS_MAX, NAME_MAX};
use crate::stamp::{Run, Slot};

/// Any region: the member chooses.
pub const ANY_REGION: u16 = u16::MAX;
/// The right to write cells in the slots that are granted.
pub const WRITE_CELLS: u32 = 1;

/// What an authority grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Counts credentials of this authority; of two for one member the greater counts.
    pub serial: u64,
    /// To whom.
    pub member: NodeId,
    /// From when, seconds since 1970.
    pub from: u32,
    /// Until when, seconds since 1970.
    pub until: u32,
    /// How long after that it still holds, with a warning, seconds; as long again the member may only read.
    pub grace: u32,
    /// The region that the member is to be in, or [`ANY_REGION`].
    pub region: u16,
    /// What it may be in a hierarchy; bits are given out in the documentation.
    pub roles: u16,
    /// What it may write: [`WRITE_CELLS`], and bits to come.
    pub rights: u32,
    /// What people call it: 1 to 32 letters, digits, dots, hyphens, underscores.
    pub name: String,
    /// The slots that it speaks for, rising.
    pub runs: Vec<Run>,
}

/// How far a credential reaches at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It does not hold yet.
    Early,
    /// It holds.
    Valid,
    /// It ended, and holds a little longer: its member should get another one.
    Grace,
    /// Its member may read, and no more.
    ReadOnly,
    /// It is over.
    Over,
}

impl Grant {
    /// How far it reaches at `now`, seconds since 1970; clocks may differ by `skew` seconds.
    pub fn validity(&self, now: u64, skew: u64) -> Validity {
        let (until, grace) = (u64::from(self.until), u64::from(self.grace));
        debug_assert!(until.checked_add(2 * grace + skew).is_some(), "a clock that may be {skew} s off");
        match () {
            () if now + skew < self.from.into() => Validity::Early,
            () if now <= until => Validity::Valid,
            () if now <= until + grace => Validity::Grace,
            () if now <= until + 2 * grace + skew => Validity::ReadOnly,
            () => Validity::Over,
        }
    }

    /// Whether all of `run` is granted.
    pub fn covers(&self, run: Run) -> bool {
        self.runs.iter().any(|granted| granted.covers(run))
    }
}

/// Whose credential it is and its serial, before anything of it is proven.
pub fn peek(bytes: &[u8]) -> Option<(NodeId, u64)> {
    let fixed = bytes.first_chunk::<CREDENTIAL_FIXED>()?;
    Some((NodeId(array(fixed, 8)), u64::from_le_bytes(array(fixed, 0))))
}

/// Whether a name is one that a member may have.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// What a credential says before its signatures.
pub(super) fn encode(grant: &Grant) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CREDENTIAL_FIXED + grant.name.len() + 8 * grant.runs.len());
    bytes.extend_from_slice(&grant.serial.to_le_bytes());
    bytes.extend_from_slice(&grant.member.0);
    for number in [grant.from, grant.until, grant.grace] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&grant.region.to_le_bytes());
    bytes.extend_from_slice(&grant.roles.to_le_bytes());
    bytes.extend_from_slice(&grant.rights.to_le_bytes());
    // More than fits a byte is refused when it is read again.
    let count = |len: usize| u8::try_from(len).unwrap_or(u8::MAX);
    bytes.extend_from_slice(&[count(grant.name.len()), count(grant.runs.len()), 0, 0]);
    bytes.extend_from_slice(grant.name.as_bytes());
    for run in &grant.runs {
        bytes.extend_from_slice(&run.first.0.to_le_bytes());
        bytes.extend_from_slice(&run.len.to_le_bytes());
    }
    bytes
}

/// What is granted, and the bytes behind it.
pub(super) fn decode(bytes: &[u8]) -> Result<(Grant, &[u8]), Invalid> {
    let (fixed, rest) = bytes.split_first_chunk::<CREDENTIAL_FIXED>().ok_or(Invalid::Length)?;
    let u32_at = |at| u32::from_le_bytes(array(fixed, at));
    let [name_len, runs_len, zeros @ ..] = array::<4>(fixed, 44);
    let serial = u64::from_le_bytes(array(fixed, 0));
    if zeros != [0; 2] || serial == 0 || usize::from(runs_len) > GRANTS_MAX {
        return Err(Invalid::Field);
    }
    if usize::from(name_len) > NAME_MAX {
        return Err(Invalid::Name);
    }
    let (from, until) = (u32_at(24), u32_at(28));
    if until < from {
        return Err(Invalid::Validity);
    }
    let (name, mut rest) = rest.split_at_checked(name_len.into()).ok_or(Invalid::Length)?;
    let name = core::str::from_utf8(name).ok().filter(|name| is_name(name)).ok_or(Invalid::Name)?;
    let mut runs: Vec<Run> = Vec::with_capacity(runs_len.into());
    for _ in 0..runs_len {
        let (run, after) = rest.split_first_chunk::<8>().ok_or(Invalid::Length)?;
        let run =
            Run { first: Slot(u32::from_le_bytes(array(run, 0))), len: u32::from_le_bytes(array(run, 4)) };
        let follows = runs.last().is_none_or(|last| last.end() <= run.first.0.into());
        if !run.is_sound() || !follows {
            return Err(Invalid::Run);
        }
        runs.push(run);
        rest = after;
    }
    let grant = Grant {
        serial,
        member: NodeId(array(fixed, 8)),
        from,
        until,
        grace: u32_at(32),
        region: u16::from_le_bytes(array(fixed, 36)),
        roles: u16::from_le_bytes(array(fixed, 38)),
        rights: u32_at(40),
        name: name.into(),
        runs,
    };
    Ok((grant, rest))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the caller's bytes are long enough")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{grant, run};
    use super::*;

    #[test]
    fn it_holds_with_a_warning_for_a_while_and_then_only_reads() {
        let grant = grant(1, 5);
        let at = |now| grant.validity(now, 10);
        assert_eq!((at(989), at(990), at(2_000)), (Validity::Early, Validity::Valid, Validity::Valid));
        assert_eq!((at(2_001), at(2_100)), (Validity::Grace, Validity::Grace));
        assert_eq!(
            (at(2_101), at(2_210), at(2_211)),
            (Validity::ReadOnly, Validity::ReadOnly, Validity::Over)
        );
    }

    #[test]
    fn it_covers_what_lies_within_one_of_its_runs() {
        let grant = grant(1, 5);
        let covered = [run(0, 16), run(64, 32), run(80, 16)].map(|run| grant.covers(run));
        assert_eq!(covered, [true; 3]);
        let not = [run(16, 16), run(48, 32), run(64, 48), run(0, 96)].map(|run| grant.covers(run));
        assert_eq!(not, [false; 4]);
    }
}
