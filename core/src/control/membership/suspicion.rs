//! Suspicions: how long a silent member has to say that it is there.
//!
//! Lifeguard (Dadgar, Phillips, Currey, 2018): a suspicion begins long, and every member that independently comes to
//! the same opinion shortens it, down to a minimum (equation in section IV-B). One departure: while a large part of
//! the mesh is suspected at once, it is likelier that many were stopped, or that this node was cut off, than that all of
//! them died in one second; the times grow with that part.

use alloc::collections::{BTreeMap, BTreeSet};

use octick_crypto::NodeId;

use crate::control::id::MemberIndex;
use crate::control::membership::settings::MembershipSettings;
use crate::control::message::accusation::Accusation;
use crate::limits::{CONFIRMERS_MAX, MEMBERS_MAX};
use crate::time::micros;

/// The open suspicions.
#[derive(Debug, Default)]
pub struct Suspicions {
    open: BTreeMap<MemberIndex, Suspicion>,
    due: BTreeSet<(u64, MemberIndex)>,
}

#[derive(Clone, Copy, Debug)]
struct Suspicion {
    since: u64,
    min: u64,
    max: u64,
    needed: u32,
    deadline: u64,
    confirmers: [NodeId; CONFIRMERS_MAX],
    count: u8,
    /// The last of them that signed its opinion: what is passed on.
    signed: Option<Accusation>,
}

/// How long a suspicion lasts among so many members, of which so many are suspected: from, to, and how many
/// confirmations lead from one to the other.
pub fn terms(settings: &MembershipSettings, live: usize, suspected: usize) -> (u64, u64, u32) {
    assert!(live <= MEMBERS_MAX && suspected <= MEMBERS_MAX, "{suspected} of {live} are suspected");
    let members = live as u64 + 1;
    // Tenths of log10, at least 1: log10(2) is 0.301.
    let tenths = u64::from((members * members * members).ilog2()).max(10);
    let min = u64::from(settings.suspicion_min) * micros(settings.probe_interval) * tenths / 10;
    if !settings.lifeguard {
        return (min, min, 0);
    }
    let min = min + min * 6 * suspected as u64 / members;
    // Whoever could confirm is neither this node nor the suspected one.
    let needed = settings.confirmations.min(live.saturating_sub(1)) as u32;
    let max = if needed == 0 { min } else { min * u64::from(settings.suspicion_max) };
    (min, max, needed)
}

impl Suspicion {
    fn recompute(&mut self) {
        assert!(self.min <= self.max && usize::from(self.count) <= CONFIRMERS_MAX, "{self:?}");
        // The first to suspect is no confirmation; log2 of (c + 1) over log2 of (k + 1), in 256ths.
        let confirmed = u64::from(self.count).saturating_sub(1).min(u64::from(self.needed));
        let span = self.max - self.min;
        let shorter = match self.needed {
            0 => 0,
            needed => span * log2_256(confirmed + 1) / log2_256(u64::from(needed) + 1),
        };
        self.deadline = self.since + self.max - shorter.min(span);
        assert!(self.deadline >= self.since + self.min, "sooner than the least time: {self:?}");
    }
}

/// 256 times log2, by the integer part and a straight line between powers: within 9 %.
fn log2_256(x: u64) -> u64 {
    debug_assert!(0 < x && x >> 55 == 0, "{x} has no logarithm here");
    let whole = x.ilog2();
    u64::from(whole) * 256 + ((x << 8 >> whole) - 256)
}

impl Suspicions {
    /// How many are suspected.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Begins a suspicion of `place`, on somebody's word.
    pub fn open(
        &mut self,
        place: MemberIndex,
        said: &Accusation,
        (min, max, needed): (u64, u64, u32),
        now: u64,
    ) {
        self.close(place);
        let mut confirmers = [NodeId([0; 16]); CONFIRMERS_MAX];
        confirmers[0] = said.by;
        let signed = Some(*said).filter(|said| said.signature.is_some());
        let mut suspicion =
            Suspicion { since: now, min, max, needed, deadline: 0, confirmers, count: 1, signed };
        suspicion.recompute();
        self.due.insert((suspicion.deadline, place));
        self.open.insert(place, suspicion);
        self.assert_sound();
    }

    /// Whether an opinion of `by` on `place` would count: it had none yet, and more are wanted.
    pub fn wants(&self, place: MemberIndex, by: NodeId) -> bool {
        self.open.get(&place).is_some_and(|suspicion| {
            let count = usize::from(suspicion.count);
            let known = suspicion.confirmers[..count].contains(&by);
            !known && count <= suspicion.needed as usize && count < CONFIRMERS_MAX
        })
    }

    /// Another opinion on `place`. Returns whether it counts.
    pub fn confirm(&mut self, place: MemberIndex, said: &Accusation) -> bool {
        if !self.wants(place, said.by) {
            return false;
        }
        let Some(suspicion) = self.open.get_mut(&place) else { return false };
        let before = suspicion.deadline;
        suspicion.confirmers[usize::from(suspicion.count)] = said.by;
        suspicion.signed = Some(*said).filter(|said| said.signature.is_some()).or(suspicion.signed);
        suspicion.count += 1;
        assert!(usize::from(suspicion.count) <= CONFIRMERS_MAX, "{} opinions", suspicion.count);
        assert!(suspicion.confirmers[0] != said.by, "a member has one opinion");
        self.due.remove(&(suspicion.deadline, place));
        suspicion.recompute();
        self.due.insert((suspicion.deadline, place));
        assert!(suspicion.deadline <= before, "a confirmation made it longer: {suspicion:?}");
        self.assert_sound();
        true
    }

    /// Somebody is sure: the suspicion becomes as short as any, and stays one.
    pub fn wake_by(&mut self, place: MemberIndex) {
        if let Some(suspicion) = self.open.get_mut(&place) {
            self.due.remove(&(suspicion.deadline, place));
            suspicion.max = suspicion.min;
            suspicion.recompute();
            self.due.insert((suspicion.deadline, place));
        }
    }

    /// The suspicion is settled, one way or the other.
    pub fn close(&mut self, place: MemberIndex) {
        if let Some(suspicion) = self.open.remove(&place) {
            self.due.remove(&(suspicion.deadline, place));
        }
        self.assert_sound();
    }

    /// The opinion on `place` that can be passed on: the last that its author signed.
    pub fn signed(&self, place: MemberIndex) -> Option<Accusation> {
        self.open.get(&place).and_then(|suspicion| suspicion.signed)
    }

    /// Whose opinions the suspicion of `place` rests on.
    pub fn authors(&self, place: MemberIndex) -> impl Iterator<Item = NodeId> + '_ {
        let open = self.open.get(&place);
        open.into_iter()
            .flat_map(|suspicion| suspicion.confirmers[..usize::from(suspicion.count)].iter().copied())
    }

    /// When the first of them runs out.
    pub fn next_due(&self) -> u64 {
        self.due.first().map_or(u64::MAX, |(deadline, _)| *deadline)
    }

    /// A suspicion that has run out; whoever takes it closes it. By now more may be suspected than when it began: it lasts at least
    /// `least`.
    pub fn expire(&mut self, now: u64, least: u64) -> Option<MemberIndex> {
        loop {
            let (deadline, place) = *self.due.first()?;
            if deadline > now {
                return None;
            }
            let suspicion = self.open.get_mut(&place).expect("what is due is open");
            let later = suspicion.since + least;
            if later <= now {
                return Some(place);
            }
            self.due.remove(&(deadline, place));
            assert!(later > deadline, "{place:?} would be due for ever");
            suspicion.deadline = later;
            self.due.insert((later, place));
        }
    }

    /// This node slept for `by` microseconds: what could not be heard in that time counts against nobody.
    pub fn postpone(&mut self, by: u64) {
        self.due.clear();
        for (place, suspicion) in &mut self.open {
            suspicion.since += by;
            suspicion.recompute();
            self.due.insert((suspicion.deadline, *place));
        }
        self.assert_sound();
    }

    /// Each open suspicion has one deadline.
    fn assert_sound(&self) {
        assert!(
            self.open.len() == self.due.len(),
            "{} suspicions, {} deadlines",
            self.open.len(),
            self.due.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberIndex = MemberIndex(1);

    fn id(byte: u8) -> NodeId {
        NodeId([byte; 16])
    }

    fn by(byte: u8) -> Accusation {
        let rank = (crate::stamp::Incarnation(1), crate::stamp::Version(1 << 40));
        let state = crate::control::id::PeerState::Suspected;
        Accusation { id: id(99), rank, state, by: id(byte), signature: None }
    }

    #[test]
    fn confirmations_shorten_a_suspicion_and_repeated_ones_do_not() {
        let mut suspicions = Suspicions::default();
        suspicions.open(A, &by(1), (100, 400, 2), 1_000);
        assert_eq!(suspicions.next_due(), 1_400);
        assert!(!suspicions.confirm(A, &by(1)) && suspicions.confirm(A, &by(2)));
        assert_eq!(suspicions.signed(A), None);
        assert!((1_150..1_250).contains(&suspicions.next_due()), "{}", suspicions.next_due());
        let signed = Accusation { signature: Some([7; 64]), ..by(3) };
        assert!(suspicions.confirm(A, &signed) && !suspicions.confirm(A, &by(4)));
        assert_eq!(suspicions.signed(A), Some(signed));
        assert_eq!(suspicions.authors(A).collect::<alloc::vec::Vec<_>>(), [id(1), id(2), id(3)]);
        assert_eq!((suspicions.next_due(), suspicions.expire(1_099, 0)), (1_100, None));
        assert_eq!(
            (suspicions.expire(1_100, 150), suspicions.next_due()),
            (None, 1_150),
            "many are suspected by now"
        );
        assert_eq!(suspicions.expire(1_150, 150), Some(A));
        suspicions.close(A);
        assert!(suspicions.is_empty());
    }

    #[test]
    fn a_sleep_of_this_node_is_held_against_nobody() {
        let mut suspicions = Suspicions::default();
        suspicions.open(A, &by(1), (100, 400, 2), 0);
        suspicions.postpone(5_000);
        assert_eq!(suspicions.expire(5_399, 0), None);
        assert_eq!(suspicions.expire(5_400, 0), Some(A));
    }

    #[test]
    fn suspicions_grow_with_the_mesh_and_with_how_many_are_suspected() {
        let settings = MembershipSettings::default();
        let (two, ten, hundred) = (terms(&settings, 1, 0), terms(&settings, 9, 0), terms(&settings, 99, 0));
        assert_eq!((two.0, two.1, two.2), (700_000, 700_000, 0), "nobody else could confirm");
        assert!(ten.0 <= hundred.0 && hundred.0 < 1_500_000, "{ten:?} {hundred:?}");
        let half = terms(&settings, 31, 16);
        assert!(half.0 > 3_500_000, "longer than a stop of three seconds: {half:?}");
    }
}
