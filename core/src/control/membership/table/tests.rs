//! The table against a map with a rule.

use super::*;
use crate::control::message::announcement::{EPHEMERAL, Statement, mesh_key};
use crate::stamp::Version;
use octick_crypto::Identity;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const KEYS: u8 = 24;

/// Announcements of a few members, each in a few versions.
fn announcements() -> &'static [Vec<Arc<Announcement>>] {
    static ALL: OnceLock<Vec<Vec<Arc<Announcement>>>> = OnceLock::new();
    let make = |key: u8, version: u64| {
        let identity = Identity::from_seed(&[key + 1; 32]);
        let statement = Statement {
            serial: 0,
            incarnation: Incarnation(1 + (version / 2) as u32),
            boot: 0,
            version: Version::new(1_700_000_000_000_000 + version, identity.id()),
            capabilities: if key % 5 == 4 { EPHEMERAL } else { 0 },
            region: Region(u16::from(key % 8 == 7)),
            leaves: version == 3,
            addresses: Vec::new(),
            claims: Vec::new(),
        };
        Arc::new(Announcement::sign(&identity, &mesh_key("t"), &statement))
    };
    ALL.get_or_init(|| (0..KEYS).map(|key| (0..4).map(|version| make(key, version)).collect()).collect())
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, usize),
    Report(u8, usize, PeerState),
    Absolve(u8),
    ForgetOldest,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = prop::sample::select(&[PeerState::Suspected, PeerState::Failed][..]);
    let step = prop_oneof![
        4 => (1..KEYS, 0..4_usize).prop_map(|(key, version)| Step::Announce(key, version)),
        3 => (1..KEYS, 0..4_usize, state).prop_map(|(key, version, state)| Step::Report(key, version, state)),
        1 => (1..KEYS).prop_map(Step::Absolve),
        1 => Just(Step::ForgetOldest),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn the_table_is_a_map_with_a_rule(steps in steps()) {
        let all = announcements();
        let mut members = Members::new(all[0][0].clone(), 64, Random::new(5));
        let mut twin: BTreeMap<u8, (Rank, PeerState)> = BTreeMap::new();
        for (now, step) in steps.into_iter().enumerate() {
            let now = now as u64;
            match step {
                Step::Announce(key, version) => {
                    let announcement = &all[key as usize][version];
                    members.announce(announcement, now);
                    let state = if version == 3 { PeerState::Left } else { PeerState::Alive };
                    let known = twin.entry(key).or_insert((announcement.rank(), state));
                    if announcement.rank() > known.0 {
                        *known = (announcement.rank(), state);
                    }
                }
                Step::Report(key, version, state) => {
                    let announcement = &all[key as usize][version];
                    members.report(announcement.id(), announcement.rank(), state, now);
                    if let Some(known) = twin.get_mut(&key) && known.0 == announcement.rank() {
                        known.1 = known.1.max(state);
                    }
                }
                Step::Absolve(key) => {
                    if let Some(place) = members.find(all[key as usize][0].id()) {
                        members.clear_suspicion(place, now);
                    }
                    if let Some(known) = twin.get_mut(&key) && known.1 == PeerState::Suspected {
                        known.1 = PeerState::Alive;
                    }
                }
                Step::ForgetOldest => {
                    if let Some(place) = members.gone_before(u64::MAX) {
                        prop_assert!(!members.misses(members.get(place)), "a quorum is never lowered by forgetting");
                        let id = members.get(place).id();
                        members.remove(place);
                        twin.retain(|key, _| all[*key as usize][0].id() != id);
                    }
                }
            }
            for key in 1..KEYS {
                let found = members.find(all[key as usize][0].id()).map(|place| members.get(place));
                prop_assert_eq!(found.map(|member| (member.rank(), member.state())), twin.get(&key).copied());
            }
            let is_local = |key: &u8| key % 8 != 7;
            let live: BTreeSet<NodeId> = members.live().iter().map(|place| members.get(*place).id()).collect();
            let expected: BTreeSet<NodeId> = twin
                .iter()
                .filter(|(key, known)| known.1.is_live() && is_local(key))
                .map(|(key, _)| all[*key as usize][0].id())
                .collect();
            prop_assert_eq!(&live, &expected);
            prop_assert_eq!(members.gone(), twin.values().filter(|known| !known.1.is_live()).count());
            prop_assert_eq!(members.len(), twin.len() + 1);
            members.index_buckets();
            let listed = (0..BUCKETS).map(|bucket| members.bucket(bucket).count()).sum::<usize>();
            let counts = |key: &u8| is_local(key) && key % 5 != 4;
            let missed = |(key, known): &(&u8, &(Rank, PeerState))| counts(key) && known.1 == PeerState::Failed;
            let missing = twin.iter().filter(missed).count();
            let reachable = 1 + twin.iter().filter(|(key, known)| counts(key) && known.1.is_live()).count();
            prop_assert_eq!(members.counted(), Counted { reachable, missing });
            prop_assert_eq!(members.missing().count(), missing);
            prop_assert_eq!(listed, live.len() + 1 + missing);
            // The digest depends on who is live, or missed, and announced how, and on nothing that happened before.
            let mut fresh = Members::new(all[0][0].clone(), 64, Random::new(9));
            for (key, known) in twin.iter().filter(|known| known.1.1.is_live() || missed(known)) {
                let announcement = all[*key as usize].iter().find(|a| a.rank() == known.0).unwrap();
                fresh.announce_as(announcement, known.1, 0);
            }
            prop_assert_eq!((fresh.digest(), fresh.digests()), (members.digest(), members.digests()));
        }
    }
}

#[test]
fn of_another_region_are_its_live_members_only() {
    let all = announcements();
    let mut members = Members::new(all[0][0].clone(), 64, Random::new(5));
    (1..KEYS).for_each(|key| _ = members.announce(&all[key as usize][0], 1));
    let there =
        |members: &Members| members.remote(Region(1)).map(|(_, member)| member.id()).collect::<BTreeSet<_>>();
    let abroad: BTreeSet<_> = [7, 15, 23].map(|key| all[key][0].id()).into();
    assert_eq!(there(&members), abroad);
    members.announce(&all[15][3], 2);
    assert_eq!(there(&members).len(), 2, "who has left is not there");
}

#[test]
fn whoever_has_been_gone_for_long_is_named_to_be_forgotten() {
    let all = announcements();
    let mut members = Members::new(all[0][0].clone(), 64, Random::new(5));
    members.announce(&all[1][0], 1);
    assert_eq!(members.gone_before(u64::MAX), None, "it lives");
    members.announce(&all[1][3], 10);
    let place = members.find(all[1][0].id());
    assert_eq!((members.gone_before(10), members.gone_before(11)), (None, place));
}

#[test]
fn no_two_lives_of_a_member_have_one_stamp() {
    let identity = Identity::from_seed(&[9; 32]);
    let mut members = Members::new(announcements()[0][0].clone(), 64, Random::new(5));
    let mut stamps = BTreeSet::new();
    for life in 1..64 {
        let statement = Statement {
            serial: 0,
            incarnation: Incarnation(life),
            boot: 0,
            version: Version::new(1_700_000_000_000_000, identity.id()),
            capabilities: 0,
            region: Region(0),
            leaves: false,
            addresses: Vec::new(),
            claims: Vec::new(),
        };
        members.announce(&Arc::new(Announcement::sign(&identity, &mesh_key("t"), &statement)), 1);
        let member = members.get(members.find(identity.id()).expect("it is known"));
        assert_eq!(member.rank().0, Incarnation(life));
        assert!(stamps.insert(member.stamp(false)) && stamps.insert(member.stamp(true)), "life {life}");
    }
}

#[test]
fn who_failed_is_missed_as_long_as_it_counts_and_may_be_forgotten_once_it_does_not() {
    let all = announcements();
    let mut members = Members::new(all[0][0].clone(), 64, Random::new(5));
    for announcements in &all[1..4] {
        members.announce(&announcements[0], 1);
    }
    let place = members.find(all[1][0].id()).unwrap();
    members.report_at(place, all[1][0].rank(), PeerState::Failed, 10);
    let missing = |members: &Members| members.missing().map(|(place, _)| place).collect::<Vec<_>>();
    assert_eq!((missing(&members), members.gone_before(u64::MAX)), ([place].to_vec(), None));
    let standing = MemberStanding::of(false, true);
    assert!(members.set_standing(place, standing) && !members.set_standing(place, standing));
    assert_eq!((missing(&members), members.gone_before(u64::MAX)), (Vec::new(), Some(place)));
    assert_eq!(members.counted(), Counted { reachable: 3, missing: 0 });
    assert!(members.set_standing(place, MemberStanding::of(true, true)));
    assert_eq!((missing(&members), members.gone_before(u64::MAX)), ([place].to_vec(), None));
    // Of a live member only the count changes.
    let live = members.live()[0];
    members.set_standing(live, standing);
    assert_eq!(members.counted(), Counted { reachable: 2, missing: 1 });
    assert!(members.live().contains(&live) && members.gone_before(u64::MAX).is_none());
}

#[test]
fn who_says_something_new_in_the_same_life_is_heard_as_before_and_in_another_anew() {
    let all = announcements();
    let mut members = Members::new(all[0][0].clone(), 64, Random::new(5));
    members.announce(&all[1][0], 1);
    let place = members.find(all[1][0].id()).unwrap();
    let hear = |members: &mut Members, seq| members.get_mut(place).is_new_control_frame(seq);
    members.get_mut(place).heard_at = 7;
    assert!(hear(&mut members, 5));
    members.announce(&all[1][1], 2);
    assert_eq!((members.get(place).heard_at, hear(&mut members, 5)), (7, false), "of the same incarnation");
    members.announce(&all[1][2], 3);
    assert_eq!((members.get(place).heard_at, hear(&mut members, 5)), (0, true), "it knows nobody yet");
}

#[test]
fn each_coming_and_going_is_counted() {
    let all = announcements();
    let mut members = Members::new(all[0][0].clone(), 64, Random::new(5));
    let mut last = members.changes();
    let mut grown = |members: &Members| {
        let before = core::mem::replace(&mut last, members.changes());
        members.changes() > before
    };
    members.announce(&all[1][0], 1);
    assert!(grown(&members));
    members.report(all[1][0].id(), all[1][0].rank(), PeerState::Suspected, 2);
    assert!(!grown(&members), "it is still there");
    members.report(all[1][0].id(), all[1][0].rank(), PeerState::Failed, 3);
    assert!(grown(&members));
    members.announce(&all[1][1], 4);
    assert!(grown(&members));
    assert!(matches!(
        members.report(all[1][0].id(), all[1][0].rank(), PeerState::Failed, 5),
        Applied::Old(_)
    ));
    let ahead = members.report(all[1][0].id(), all[1][3].rank(), PeerState::Failed, 5);
    assert!(matches!(ahead, Applied::Ahead(_)) && !grown(&members));
}

#[test]
fn who_failed_and_is_missed_anew_after_a_later_word_is_listed_once() {
    let all = announcements();
    let mut members = Members::new(all[0][0].clone(), 64, Random::new(5));
    members.announce(&all[1][0], 1);
    members.report(all[1][0].id(), all[1][0].rank(), PeerState::Failed, 2);
    for later in &all[1][1..3] {
        members.announce_as(later, PeerState::Failed, 3);
        assert_eq!((members.missing().count(), members.gone_places().count(), members.gone()), (1, 1, 1));
    }
}
