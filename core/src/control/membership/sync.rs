//! Comparing tables: how a newcomer learns of everybody, and how two members find what one of them missed.
//!
//! The asker sends a digest of each of 64 buckets of members; the answerer sends the announcements of buckets that the
//! asker has nothing in, and lists of names for buckets that differ; the asker wants what it lacks and offers what the
//! answerer lacks. An answer has a bounded number of control frames and ends with the bucket to go on with, so the asker sets
//! the pace and the answerer keeps nothing.
//!
//! Probes and their answers carry a digest of the whole table: at rest, tables are compared all the time and at no
//! price, and a comparison in full is asked for only where they differ.

use alloc::vec::Vec;

use crate::control::id::{MemberIndex, PeerState};
use crate::control::membership::buckets::bucket_of;
use crate::control::membership::newcomers::TERM;
use crate::control::membership::settings::MembershipSettings;
use crate::control::membership::table::{Member, Members};
use crate::control::message::membership::{Announced, BUCKETS, Listed, MembershipMsg};
use crate::limits::{CONTROL_FRAME_MAX, SYNC_LIST_MAX, SYNC_REMOTE_MAX};
use crate::random::Random;
use crate::time::{MS, S, micros};
use crate::token_bucket::TokenBucket;
use crate::wire::control_frame::HEAD_LEN;

/// Control frames of one answer: a newcomer in a region of 5,000 asks some 30 times.
const ANSWER_CONTROL_FRAMES: usize = 28;
/// How long an answer may take to begin, and then to go on.
const PATIENCE: u64 = 400 * MS;
/// How long an answer may be late and still be one: a question is asked again after [`PATIENCE`], and when a member wants proof of
/// this node's address, whether the first was lost or not.
const LATE: u64 = 5 * S;
/// Members whose answers may be late at a time: a newcomer asks one after the other, each for [`PATIENCE`] at least.
const LATE_MAX: usize = 16;
/// First wait between comparisons of a newcomer.
const SETTLE_GAP: u64 = 120 * MS;
/// Comparisons that must find nothing before a newcomer calls itself settled.
const SETTLED: u32 = 2;
// A full list of names fits a control frame, and asking begins no slower than it ends.
const _: () = assert!(HEAD_LEN + 2 + Listed::LEN * SYNC_LIST_MAX <= CONTROL_FRAME_MAX && SETTLE_GAP <= S / 2);
/// How long a table must have rested before a difference is worth a comparison: news may be on its way.
const REST: u64 = 200 * MS;

/// The asking side.
#[derive(Debug)]
pub struct Sync {
    asked: Option<Asked>,
    /// Answers that are still to come, to questions that were asked twice or given up.
    owed: Vec<Owed>,
    /// Who answered the first greeting: it knew the mesh when this node knew nobody.
    join_peer: Option<MemberIndex>,
    /// Until when it tells this node who came later.
    taught_until: u64,
    to_teacher: bool,
    next_at: u64,
    gap: u64,
    /// Comparisons still to be made before this node calls itself settled.
    unsettled: u32,
    budget: TokenBucket,
    random: Random,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    place: MemberIndex,
    until: u64,
}

/// As many answers as there were questions, while they may still come.
#[derive(Clone, Copy, Debug)]
struct Owed {
    place: MemberIndex,
    answers: u32,
    until: u64,
}

/// What a comparison found: to be said to the member that was asked.
#[derive(Debug, Default)]
pub struct Differences {
    /// Names that it knows better.
    pub wanted: Vec<[u8; 8]>,
    /// Members that it does not know, or not so well.
    pub offered: Vec<MemberIndex>,
    /// Members that it believes live, and this node does not.
    pub accused: Vec<MemberIndex>,
}

impl Sync {
    /// Nothing to compare yet.
    pub fn new(settings: &MembershipSettings, random: Random, now: u64) -> Self {
        let budget = TokenBucket::new(settings.sync_frames, now);
        Self {
            asked: None,
            owed: Vec::with_capacity(LATE_MAX),
            join_peer: None,
            taught_until: 0,
            to_teacher: true,
            next_at: u64::MAX,
            gap: SETTLE_GAP,
            unsettled: SETTLED,
            budget,
            random,
        }
    }

    /// Whether this node has only just come.
    pub fn is_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// Whether what `place` says is what it was asked for, or a lesson, more likely than news.
    pub fn is_join_peer(&self, place: MemberIndex, now: u64) -> bool {
        let lesson = self.join_peer == Some(place) && now < self.taught_until;
        lesson || (self.unsettled > 0 && self.asked(place))
    }

    /// Whether `place` was asked and may answer.
    pub fn asked(&self, place: MemberIndex) -> bool {
        self.asked.is_some_and(|asked| asked.place == place)
    }

    /// A question goes to `place`, the first or once more.
    pub fn note_question(&mut self, place: MemberIndex, now: u64) {
        self.owed.retain(|owed| now < owed.until);
        let answers = self.owed.iter().position(|owed| owed.place == place);
        let answers = answers.map_or(0, |i| self.owed.remove(i).answers);
        if self.owed.len() == LATE_MAX {
            self.owed.remove(0);
        }
        self.owed.push(Owed { place, answers: answers + 1, until: now + LATE });
    }

    /// Whether an answer of `place` may still come.
    pub fn is_owed(&self, place: MemberIndex, now: u64) -> bool {
        self.owed.iter().any(|owed| owed.place == place && owed.answers > 0 && now < owed.until)
    }

    /// An answer of `place` ended. Returns whether there was a question to it: an answer that comes late, or a second time because
    /// the question went out twice, is no use and no offence.
    pub fn take_owed(&mut self, place: MemberIndex, now: u64) -> bool {
        let is_owed = self.is_owed(place, now);
        if let Some(owed) = self.owed.iter_mut().find(|owed| owed.place == place) {
            owed.answers = owed.answers.saturating_sub(1);
        }
        is_owed
    }

    /// This node is new, or was cut off: compare until nothing is found any more.
    pub fn unsettle(&mut self, now: u64) {
        (self.unsettled, self.gap) = (SETTLED, SETTLE_GAP);
        self.next_at = self.next_at.min(now + self.gap);
    }

    /// A member wants proof of this node's address, and can be asked along with it. Returns whether it should be:
    /// because that is what it wants the proof for, or because it is the first to answer.
    pub fn greet(&mut self, place: MemberIndex, is_local: bool, now: u64) -> bool {
        let asks = self.asked(place) || (self.join_peer.is_none() && self.asked.is_none());
        if asks && is_local {
            self.join_peer.get_or_insert(place);
        }
        if asks {
            self.ask(place, now);
        }
        asks
    }

    /// When [`Sync::tick`] has something to do.
    pub fn next_due(&self, members: &Members) -> u64 {
        match self.asked {
            Some(asked) => asked.until,
            None if self.unsettled == 0 || members.live().is_empty() => u64::MAX,
            None => self.next_at,
        }
    }

    /// A member to be asked now, if any.
    pub fn tick(&mut self, now: u64, members: &Members) -> Option<MemberIndex> {
        if self.asked.is_some_and(|asked| asked.until <= now) {
            self.asked = None;
            self.next_at = self.next_at.min(now);
        }
        let live = members.live();
        self.join_peer.take_if(|join_peer| !members.get(*join_peer).state().is_live());
        if self.asked.is_some() || self.unsettled == 0 || live.is_empty() || now < self.next_at {
            return None;
        }
        // The join peer and others by turns: it knows most, and must not be asked by all the world for ever.
        self.to_teacher = !self.to_teacher;
        let join_peer = self.join_peer.filter(|_| !self.to_teacher);
        let place = join_peer.unwrap_or_else(|| live[self.random.index(live.len())]);
        self.ask(place, now);
        assert!(self.next_due(members) > now, "who was asked has time to answer");
        Some(place)
    }

    /// A member's digest came with a probe. Returns whether it should be asked, because the tables differ though
    /// nothing is on its way.
    pub fn compare(
        &mut self,
        place: MemberIndex,
        same: bool,
        changed_at: u64,
        now: u64,
        settings: &MembershipSettings,
    ) -> bool {
        let busy = self.asked.is_some() || self.unsettled > 0;
        if same || busy || now < self.next_at.min(u64::MAX - 1) || now < changed_at + REST {
            return false;
        }
        self.ask(place, now);
        self.next_at = now + micros(settings.sync_interval);
        true
    }

    /// An answer ended. Returns the bucket to go on with, if any.
    pub fn done(&mut self, place: MemberIndex, next: u8, same: bool, now: u64) -> Option<u8> {
        if !self.asked(place) {
            return None;
        }
        if usize::from(next) < BUCKETS {
            self.ask(place, now);
            return Some(next);
        }
        self.asked = None;
        // Two newcomers that know equally little agree, too: the last word is the join peer's.
        if same && (self.unsettled > 1 || self.join_peer.is_none_or(|join_peer| join_peer == place)) {
            self.unsettled = self.unsettled.saturating_sub(1);
        }
        if self.unsettled > 0 {
            self.next_at = now + self.gap / 2 + self.random.below(self.gap);
            self.gap = (self.gap * 5 / 4).min(S / 2);
            assert!(self.gap >= SETTLE_GAP && self.next_at > now, "a gap of {} us", self.gap);
        } else {
            self.next_at = now;
        }
        None
    }

    /// An answer goes on.
    pub fn goes_on(&mut self, place: MemberIndex, now: u64) {
        if let Some(asked) = &mut self.asked
            && asked.place == place
        {
            asked.until = now + PATIENCE;
        }
    }

    /// Forgets a place that is given to another member.
    pub fn forget(&mut self, place: MemberIndex) {
        if self.asked(place) {
            self.asked = None;
        }
        self.owed.retain(|owed| owed.place != place);
        self.join_peer.take_if(|join_peer| *join_peer == place);
    }

    /// Whether another question may be answered now.
    pub fn may_answer(&mut self, now: u64) -> bool {
        self.budget.take(1, now)
    }

    /// Takes note of what an answer took besides its first control frame, control frames.
    pub fn answered(&mut self, control_frames: u64) {
        self.budget.spend(control_frames);
    }

    fn ask(&mut self, place: MemberIndex, now: u64) {
        self.asked = Some(Asked { place, until: now + PATIENCE });
        self.note_question(place, now);
        if self.join_peer == Some(place) {
            self.taught_until = now + TERM;
        }
    }
}

/// Answers a comparison, note by note. `theirs` are the asker's digests; without any it knows nobody. Returns about how
/// many bytes that took.
pub fn answer(
    members: &Members,
    cursor: u8,
    theirs: Option<&[[u8; 4]; BUCKETS]>,
    mut say: impl FnMut(&MembershipMsg<'_>),
) -> usize {
    let ours = members.digests();
    let mut left = ANSWER_CONTROL_FRAMES * CONTROL_FRAME_MAX;
    let mut next = BUCKETS;
    for bucket in usize::from(cursor)..BUCKETS {
        let theirs = theirs.map_or([0; 4], |theirs| theirs[bucket]);
        if theirs == ours[bucket] {
            continue;
        }
        if left < CONTROL_FRAME_MAX {
            next = bucket;
            break;
        }
        let mut spent = 0;
        if theirs == [0; 4] {
            for (_, member) in members.bucket(bucket) {
                say(&word_of(member));
                spent += HEAD_LEN + Announced::of(member.announcement()).len().next_multiple_of(4);
            }
        } else {
            let mut entries: Vec<_> = members.bucket(bucket).map(|(_, m)| m.listed().encode()).collect();
            entries.sort_unstable();
            // An empty list says that the bucket is empty.
            let mut chunks = entries.chunks(SYNC_LIST_MAX);
            let mut chunk = Some(chunks.next().unwrap_or_default());
            while let Some(entries) = chunk {
                say(&MembershipMsg::SyncList { bucket: bucket as u8, entries });
                spent += HEAD_LEN + 4 + Listed::LEN * entries.len();
                chunk = chunks.next();
            }
        }
        left = left.saturating_sub(spent);
    }
    say(&MembershipMsg::SyncDone { next: next as u8, digest: members.digest() });
    ANSWER_CONTROL_FRAMES * CONTROL_FRAME_MAX - left
}

/// Answers a member of another region: whom this node knows there, if it is a `newcomer`, and the `delegates` of this
/// region.
pub fn answer_remote(
    members: &Members,
    asker: MemberIndex,
    newcomer: bool,
    delegates: &[MemberIndex],
    mut say: impl FnMut(&MembershipMsg<'_>),
) -> usize {
    let region = members.get(asker).region();
    let mut bytes = 0;
    let remote = members.remote(region).map(|(place, _)| place).filter(|place| *place != asker);
    let remote = remote.take(if newcomer { SYNC_REMOTE_MAX } else { 0 });
    for place in remote.chain(delegates.iter().copied()) {
        let word = Announced::of(members.get(place).announcement());
        say(&MembershipMsg::Announce(word));
        bytes += HEAD_LEN + word.len();
    }
    say(&MembershipMsg::SyncDone { next: BUCKETS as u8, digest: 0 });
    bytes
}

/// What there is to say of a member in a comparison.
fn word_of(member: &Member) -> MembershipMsg<'_> {
    let announced = Announced::of(member.announcement());
    match member.state() {
        PeerState::Failed => MembershipMsg::Missing(announced),
        _ => MembershipMsg::Announce(announced),
    }
}

/// Holds a list against the table.
pub fn differences(members: &Members, bucket: u8, entries: &[[u8; Listed::LEN]]) -> Differences {
    let mut found = Differences::default();
    let theirs: Vec<Listed> = entries.iter().take(SYNC_LIST_MAX).map(Listed::decode).collect();
    let ours: Vec<(Listed, MemberIndex)> =
        members.bucket(bucket.into()).map(|(place, member)| (member.listed(), place)).collect();
    let gone = gone_in(members, bucket.into());
    let knows = |member: &Member, listed: &Listed| {
        [false, true].map(|failed| member.listed_as(failed)).contains(listed)
    };
    for listed in &theirs {
        if ours.iter().any(|(mine, _)| mine == listed) {
            continue;
        }
        match gone.iter().find(|place| knows(members.get(**place), listed)) {
            Some(place) => found.accused.push(*place),
            None => found.wanted.push(listed.name),
        }
    }
    // A full list may be one of several, and says nothing of who is not in it.
    if theirs.len() < SYNC_LIST_MAX {
        let unknown = ours.iter().filter(|(mine, _)| !theirs.contains(mine));
        let unknown = unknown.map(|(_, place)| *place).filter(|place| !found.accused.contains(place));
        found.offered = unknown.take(SYNC_LIST_MAX).collect();
    }
    assert!(found.wanted.len() + found.accused.len() <= theirs.len() && theirs.len() <= SYNC_LIST_MAX);
    assert!(found.offered.len() <= SYNC_LIST_MAX, "{} members offered", found.offered.len());
    found
}

/// Members of a bucket that are gone, of those that went last.
fn gone_in(members: &Members, bucket: usize) -> Vec<MemberIndex> {
    let gone = members.gone_places().take(4_096);
    gone.filter(|place| bucket_of(members.get(*place).id()) == bucket).collect()
}

/// The members of `bucket` whose names begin as wanted.
pub fn wanted<'m>(
    members: &'m Members,
    bucket: u8,
    names: &'m [[u8; 8]],
) -> impl Iterator<Item = MemberIndex> + 'm {
    members
        .bucket(bucket.into())
        .filter(move |(_, member)| names.contains(&member.listed().name))
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_answers_as_questions_and_none_after_a_while() {
        let mut sync = Sync::new(&MembershipSettings::default(), Random::new(1), 0);
        let (asked, other) = (MemberIndex(1), MemberIndex(2));
        assert!(sync.greet(asked, true, 0));
        sync.note_question(asked, MS);
        assert!(sync.is_owed(asked, 2 * MS) && !sync.is_owed(other, 2 * MS));
        assert!(!sync.take_owed(other, 2 * MS), "it was not asked");
        assert_eq!([3, 4, 5].map(|at| sync.take_owed(asked, at * MS)), [true, true, false]);

        sync.note_question(asked, S);
        assert!(sync.is_owed(asked, S + LATE - 1) && !sync.take_owed(asked, S + LATE));
        sync.note_question(asked, 10 * S);
        sync.forget(asked);
        assert!(!sync.take_owed(asked, 10 * S), "its place is another member's now");
    }

    #[test]
    fn debts_are_kept_of_the_members_asked_last() {
        let mut sync = Sync::new(&MembershipSettings::default(), Random::new(1), 0);
        let members = LATE_MAX as u32 + 3;
        (0..members).for_each(|place| sync.note_question(MemberIndex(place), 0));
        let owed = (0..members).filter(|place| sync.is_owed(MemberIndex(*place), 1));
        assert!(owed.eq(3..members));
    }

    const A: MemberIndex = MemberIndex(1);
    const B: MemberIndex = MemberIndex(2);

    fn sync() -> Sync {
        Sync::new(&MembershipSettings::default(), Random::new(3), 0)
    }

    #[test]
    fn the_first_to_answer_is_asked_and_while_it_is_nobody_else() {
        let mut sync = sync();
        assert!(sync.greet(A, true, S) && sync.asked(A));
        assert!(!sync.greet(B, true, S) && !sync.asked(B));
        assert!(sync.greet(A, true, S), "it wanted the proof for that");
        assert_eq!(sync.done(A, BUCKETS as u8, false, S), None);
        assert!(!sync.greet(B, true, S), "the join peer is found");
    }

    #[test]
    fn a_join_peer_teaches_for_its_term_and_no_longer() {
        let mut sync = sync();
        sync.greet(A, true, S);
        while !sync.is_settled() {
            sync.ask(A, S);
            sync.done(A, BUCKETS as u8, true, S);
        }
        assert!(sync.is_join_peer(A, S + TERM - 1) && !sync.is_join_peer(A, S + TERM));
        assert!(!sync.is_join_peer(B, S));
    }

    #[test]
    fn comparisons_of_who_has_come_are_half_a_gap_to_a_gap_and_a_half_apart_and_rarer_each_time() {
        let members = crate::control::membership::samples::members(3, 16, 0);
        let (mut sync, mut gap) = (sync(), SETTLE_GAP);
        for _ in 0..20 {
            sync.ask(A, S);
            sync.done(A, BUCKETS as u8, false, S);
            let wait = sync.next_due(&members) - S;
            assert!((gap / 2..gap + gap / 2).contains(&wait), "{wait} after a gap of {gap}");
            gap = (gap + gap / 4).min(S / 2);
        }
        assert_eq!(gap, S / 2);
    }

    #[test]
    fn an_answer_is_awaited_for_its_patience_and_longer_while_it_goes_on() {
        let members = crate::control::membership::samples::members(3, 16, 0);
        let mut sync = sync();
        sync.ask(A, S);
        sync.goes_on(B, 2 * S);
        assert_eq!(sync.next_due(&members), S + PATIENCE, "another's word is no answer");
        sync.goes_on(A, 2 * S);
        assert_eq!(sync.next_due(&members), 2 * S + PATIENCE);
        assert_eq!(sync.tick(2 * S + PATIENCE - 1, &members), None);
        assert!(sync.asked(A), "it may still answer");
        sync.tick(2 * S + PATIENCE, &members).expect("another is asked, or the same again");
    }

    #[test]
    fn who_knows_all_compares_at_once_when_probes_differ() {
        let mut sync = sync();
        sync.greet(A, true, S);
        while !sync.is_settled() {
            sync.ask(A, S);
            sync.done(A, BUCKETS as u8, true, S);
        }
        let settings = MembershipSettings::default();
        assert!(!sync.compare(B, true, 0, S, &settings), "nothing differs");
        assert!(sync.compare(B, false, 0, S, &settings) && sync.asked(B));
        assert!(!sync.compare(A, false, 0, S, &settings), "one at a time");
    }

    /// What is said, in bytes of a control frame.
    fn bytes_of(message: &MembershipMsg<'_>) -> usize {
        let mut control_frame = crate::wire::ControlFrame::new();
        assert!(message.write(&mut control_frame));
        control_frame.len()
    }

    #[test]
    fn an_answer_is_charged_as_many_bytes_as_it_has() {
        let mut members = crate::control::membership::samples::members(60, 128, 0);
        members.index_buckets();
        for theirs in [None, Some([[9; 4]; BUCKETS])] {
            let mut said = 0;
            let charged = answer(&members, 0, theirs.as_ref(), |message| {
                said += if matches!(message, MembershipMsg::SyncDone { .. }) { 0 } else { bytes_of(message) };
            });
            assert!(said > 0);
            assert_eq!(charged, said);
        }
        let (mut said, asker) = (0, members.live()[0]);
        let charged = answer_remote(&members, asker, true, &members.live()[1..4], |message| {
            said += if matches!(message, MembershipMsg::SyncDone { .. }) { 0 } else { bytes_of(message) };
        });
        assert!(charged > 0 && charged.abs_diff(said) < 64 * 4, "{charged}, and {said} with padding");
    }

    #[test]
    fn a_list_that_names_whom_this_node_has_seen_go_accuses_it() {
        let mut members = crate::control::membership::samples::members(8, 64, 0);
        let place = members.live()[3];
        let (id, rank, entry) = {
            let member = members.get(place);
            (member.id(), member.rank(), member.listed().encode())
        };
        members.report(id, rank, PeerState::Failed, 1);
        members.index_buckets();
        let found = differences(&members, bucket_of(id) as u8, &[entry]);
        assert_eq!((found.accused, found.wanted.len()), (Vec::from([place]), 0));
        let unknown = [0xAA; Listed::LEN];
        let found = differences(&members, bucket_of(id) as u8, &[unknown]);
        assert_eq!((found.accused.len(), found.wanted.len()), (0, 1));
    }

    use crate::control::membership::samples;

    #[test]
    fn who_is_forgotten_owes_nothing_and_teaches_nobody_and_others_go_on() {
        let mut sync = sync();
        sync.greet(A, true, S);
        sync.note_question(B, S);
        sync.forget(C);
        assert!(sync.asked(A) && sync.is_owed(A, S) && sync.is_owed(B, S) && sync.is_join_peer(A, S));
        sync.done(A, BUCKETS as u8, false, S);
        sync.forget(C);
        assert!(sync.is_join_peer(A, S), "its term goes on");
        sync.ask(A, S);
        sync.forget(A);
        assert!(!sync.asked(A) && !sync.is_owed(A, S) && sync.is_owed(B, S) && !sync.is_join_peer(A, S));
        assert!(sync.greet(B, true, S), "the next is the first to answer");
    }

    const C: MemberIndex = MemberIndex(3);

    #[test]
    fn the_join_peer_and_others_are_asked_by_turns_each_when_it_is_time() {
        let members = samples::members(6, 16, 0);
        let (mut sync, join_peer) = (sync(), members.live()[2]);
        sync.greet(join_peer, true, S);
        sync.done(join_peer, BUCKETS as u8, false, S);
        let mut asked = Vec::new();
        for _ in 0..40 {
            let now = sync.next_due(&members);
            assert_eq!(sync.tick(now - 1, &members), None);
            let place = sync.tick(now, &members).expect("somebody is asked");
            assert!(members.live().contains(&place) && sync.asked(place));
            assert_eq!(sync.tick(now, &members), None, "one at a time");
            asked.push(place);
            sync.done(place, BUCKETS as u8, false, now);
        }
        assert!(asked.iter().step_by(2).all(|place| *place == join_peer), "{asked:?}");
        let others = asked.iter().skip(1).step_by(2).filter(|place| **place != join_peer).count();
        assert!(others > 10, "anybody: {asked:?}");
    }

    #[test]
    fn a_newcomer_has_settled_when_two_comparisons_found_nothing_the_last_of_them_with_its_join_peer() {
        let members = samples::members(6, 16, 0);
        let mut sync = sync();
        let compare = |sync: &mut Sync, with, same| {
            sync.ask(with, S);
            assert_eq!(sync.done(with, BUCKETS as u8, same, S), None);
            sync.is_settled()
        };
        sync.greet(A, true, S);
        assert!(
            !compare(&mut sync, A, false) && !compare(&mut sync, B, true) && !compare(&mut sync, B, true)
        );
        assert!(compare(&mut sync, A, true));
        assert_eq!(sync.next_due(&members), u64::MAX);
        sync.unsettle(2 * S);
        assert!(
            !sync.is_settled() && sync.next_due(&members) <= 2 * S + SETTLE_GAP,
            "cut off, it begins anew"
        );
        assert!(!compare(&mut sync, A, true) && compare(&mut sync, A, true));
        // Where nobody ever answered first, any two will do.
        let mut alone = Sync::new(&MembershipSettings::default(), Random::new(3), 0);
        assert!(!compare(&mut alone, B, true) && compare(&mut alone, B, true));
    }

    #[test]
    fn an_answer_that_goes_on_is_asked_on_and_one_of_somebody_else_changes_nothing() {
        let mut sync = sync();
        sync.ask(A, S);
        assert_eq!(sync.done(B, 7, false, S), None);
        assert_eq!(sync.done(A, 7, false, S), Some(7));
        assert_eq!(sync.done(A, BUCKETS as u8 - 1, false, S), Some(BUCKETS as u8 - 1));
        assert!(sync.asked(A));
        assert_eq!((sync.done(A, BUCKETS as u8, false, S), sync.asked(A)), (None, false));
    }

    #[test]
    fn tables_that_differ_are_compared_once_in_a_while_and_once_news_has_had_time() {
        let (mut sync, settings) = (sync(), MembershipSettings::default());
        sync.greet(A, true, S);
        assert!(!sync.compare(B, false, 0, 10 * S, &settings), "a newcomer compares by itself");
        while !sync.is_settled() {
            sync.ask(A, S);
            sync.done(A, BUCKETS as u8, true, S);
        }
        let changed = 20 * S;
        assert!(!sync.compare(B, false, changed, changed + REST - 1, &settings));
        assert!(sync.compare(B, false, changed, changed + REST, &settings));
        assert!(!sync.compare(C, false, changed, changed + REST, &settings), "one at a time");
        sync.forget(B);
        let next = changed + REST + micros(settings.sync_interval);
        assert!(!sync.compare(C, false, changed, next - 1, &settings));
        assert!(sync.compare(C, false, changed, next, &settings));
    }

    #[test]
    fn a_member_of_another_region_is_asked_and_is_no_join_peer() {
        let mut sync = sync();
        assert!(sync.greet(A, false, S) && sync.asked(A));
        sync.done(A, BUCKETS as u8, false, S);
        assert!(sync.greet(B, true, S) && sync.is_join_peer(B, S + 1));
    }

    #[test]
    fn an_answer_has_a_bounded_length_and_goes_on_where_it_ended() {
        let mut members = samples::members(250, 512, 0);
        members.index_buckets();
        let (mut cursor, mut told, mut answers) = (0, Vec::new(), 0);
        while usize::from(cursor) < BUCKETS {
            let (mut bytes, mut next) = (0, cursor);
            let charged = answer(&members, cursor, None, |message| match message {
                MembershipMsg::Announce(announced) => {
                    told.push(announced.announcement.to_vec());
                    bytes += bytes_of(message);
                }
                MembershipMsg::SyncDone { next: to, digest } => {
                    assert_eq!(*digest, members.digest());
                    next = *to;
                }
                other => panic!("{other:?}"),
            });
            assert_eq!(charged, bytes);
            let most = ANSWER_CONTROL_FRAMES * CONTROL_FRAME_MAX;
            assert!(bytes <= most, "{bytes} bytes");
            assert!(usize::from(next) == BUCKETS || bytes > most - 2 * CONTROL_FRAME_MAX, "{bytes} bytes");
            assert!(next > cursor);
            (cursor, answers) = (next, answers + 1);
        }
        told.sort_unstable();
        told.dedup();
        assert_eq!((told.len(), answers), (251, 2), "everybody, this node among them");
    }

    #[test]
    fn buckets_that_differ_are_listed_whole_and_those_that_do_not_are_passed_over() {
        let mut members = samples::members(200, 512, 0);
        members.index_buckets();
        let mut theirs = members.digests();
        let fullest = (0..BUCKETS).max_by_key(|bucket| members.bucket(*bucket).count()).unwrap();
        theirs[fullest] = [9; 4];
        let mut listed = Vec::new();
        answer(&members, 0, Some(&theirs), |message| match message {
            MembershipMsg::SyncList { bucket, entries } => {
                assert_eq!(usize::from(*bucket), fullest);
                listed.extend_from_slice(entries);
            }
            MembershipMsg::SyncDone { next, .. } => assert_eq!(usize::from(*next), BUCKETS),
            other => panic!("{other:?}"),
        });
        let mut expected: Vec<_> =
            members.bucket(fullest).map(|(_, member)| member.listed().encode()).collect();
        expected.sort_unstable();
        assert_eq!(listed, expected);
        // Whoever lists the same lacks nothing, and whoever leaves one out is offered it.
        let found = differences(&members, fullest as u8, &listed);
        assert_eq!((found.wanted.len(), found.offered.len(), found.accused.len()), (0, 0, 0));
        let found = differences(&members, fullest as u8, &listed[1..]);
        assert_eq!((found.wanted.len(), found.offered.len(), found.accused.len()), (0, 1, 0));
        assert_eq!(members.get(found.offered[0]).listed().encode(), listed[0]);
        let names = [members.get(found.offered[0]).listed().name];
        assert!(wanted(&members, fullest as u8, &names).eq(found.offered.iter().copied()));
    }

    #[test]
    fn a_full_list_says_nothing_of_whom_it_leaves_out() {
        let mut members = samples::members(200, 512, 0);
        members.index_buckets();
        let fullest = (0..BUCKETS).max_by_key(|bucket| members.bucket(*bucket).count()).unwrap();
        let there = members.bucket(fullest).count();
        let strangers = |count: usize| -> Vec<[u8; Listed::LEN]> {
            (0..count)
                .map(|i| core::array::from_fn(|byte| if byte < 2 { (i >> (8 * byte)) as u8 } else { 0xEE }))
                .collect()
        };
        let found = differences(&members, fullest as u8, &strangers(SYNC_LIST_MAX));
        assert_eq!((found.wanted.len(), found.offered.len()), (SYNC_LIST_MAX, 0));
        let found = differences(&members, fullest as u8, &strangers(SYNC_LIST_MAX - 1));
        assert_eq!((found.wanted.len(), found.offered.len()), (SYNC_LIST_MAX - 1, there));
    }

    #[test]
    fn a_newcomer_of_another_region_hears_of_its_own_and_of_delegates_and_others_of_delegates() {
        let members = samples::members_of(9, 64, 0, |key, statement| {
            statement.region = crate::control::Region(u16::from(key > 5));
        });
        let there: Vec<MemberIndex> =
            members.remote(crate::control::Region(1)).map(|(place, _)| place).collect();
        let delegates = &members.live()[..2];
        for (newcomer, names) in [(true, 3 + 2), (false, 2)] {
            let mut named = Vec::new();
            answer_remote(&members, there[0], newcomer, delegates, |message| match message {
                MembershipMsg::Announce(announced) => named.push(announced.announcement.to_vec()),
                MembershipMsg::SyncDone { next, .. } => assert_eq!(usize::from(*next), BUCKETS),
                other => panic!("{other:?}"),
            });
            assert_eq!(named.len(), names);
            let asker = members.get(there[0]).announcement().bytes();
            assert!(named.iter().all(|said| said != asker), "it knows itself");
        }
    }

    #[test]
    fn who_failed_is_told_as_missed() {
        let mut members = samples::members(8, 64, 0);
        let place = members.live()[3];
        let (id, rank) = (members.get(place).id(), members.get(place).rank());
        members.report(id, rank, PeerState::Failed, 1);
        members.index_buckets();
        let mut missed = Vec::new();
        answer(&members, 0, None, |message| {
            if let MembershipMsg::Missing(announced) = message {
                missed.push(announced.announcement.to_vec());
            }
        });
        assert_eq!(missed, [members.get(place).announcement().bytes()]);
    }

    #[test]
    fn who_was_asked_by_a_newcomer_teaches_it_and_later_only_answers() {
        let mut sync = sync();
        sync.greet(A, true, S);
        sync.done(A, BUCKETS as u8, false, S);
        sync.ask(B, S);
        assert!(sync.is_join_peer(B, S), "what it says is what it was asked for");
        for _ in 0..2 {
            sync.ask(A, S);
            sync.done(A, BUCKETS as u8, true, S);
        }
        sync.ask(B, S);
        assert!(sync.is_settled() && !sync.is_join_peer(B, S));
    }

    #[test]
    fn who_comes_to_know_somebody_compares_after_a_gap_and_who_was_to_sooner_then() {
        let members = samples::members(3, 16, 0);
        let mut sync = sync();
        sync.unsettle(7 * S);
        assert_eq!(sync.next_due(&members), 7 * S + SETTLE_GAP);
        sync.unsettle(9 * S);
        assert_eq!(sync.next_due(&members), 7 * S + SETTLE_GAP);
    }

    #[test]
    fn questions_are_answered_as_fast_as_the_settings_say_and_long_answers_count_for_several() {
        let settings = MembershipSettings { sync_frames: 10, ..MembershipSettings::default() };
        let mut sync = Sync::new(&settings, Random::new(3), S);
        assert_eq!((0..50).filter(|_| sync.may_answer(S)).count(), 10);
        assert!(sync.may_answer(2 * S));
        sync.answered(9);
        assert!(!sync.may_answer(2 * S));
    }
}
