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
