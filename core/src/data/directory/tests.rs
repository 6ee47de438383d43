//! The directory against lists and dull twins.

use alloc::vec;

use super::*;
use crate::crypto::{Identity, PublicKey};
use crate::data::Run;
use crate::limits::SLOTS_MAX;
use proptest::prelude::*;
use std::string::ToString;
use std::sync::OnceLock;

/// A hundred admitted keys.
fn keys() -> &'static [PublicKey] {
    static KEYS: OnceLock<Vec<PublicKey>> = OnceLock::new();
    KEYS.get_or_init(|| (0..100).map(|i| Identity::from_seed(&[i; 32]).public().clone()).collect())
}

fn origin(key: usize, runs: &[(u32, u32)]) -> Origin {
    let runs = runs.iter().map(|&(first, len)| Run { first: Slot(first), len }).collect();
    Origin { key: keys()[key].clone(), runs, revoked: false }
}

fn directory(origins: Vec<Origin>) -> Result<Directory, DirectoryError> {
    Directory::new(origins, [3, 5])
}

fn refused(origins: Vec<Origin>) -> DirectoryError {
    directory(origins).expect_err("the list breaks a rule")
}

#[test]
fn members_are_found_alone_and_in_batches_and_strangers_are_not() {
    for seed in [[0, 0], [1, 2], [u64::MAX, 0x9E37_79B9_7F4A_7C15]] {
        let members = Directory::new((0..80).map(|key| origin(key, &[])).collect(), seed).unwrap();
        let ids: Vec<NodeId> = keys().iter().map(PublicKey::id).collect();
        let expected = |key: usize| (key < 80).then_some(OriginIndex(key as u32));
        for (key, id) in ids.iter().enumerate() {
            assert_eq!(members.find(id), expected(key));
        }
        for from in [0, 36] {
            let mut found = [None; BATCH_MAX];
            let mut likely = Vec::new();
            members.find_many(&ids[from..from + BATCH_MAX], &mut found, |origin| likely.push(origin));
            for (i, found) in found.into_iter().enumerate() {
                assert_eq!(found, expected(from + i));
                assert!(found.is_none_or(|origin| likely.contains(&origin)));
            }
        }
    }
}

#[test]
fn a_successor_keeps_every_index_and_takes_what_changed() {
    let before = directory(alloc::vec![origin(0, &[(0, 16)]), origin(1, &[(16, 16)])]).unwrap();
    let changed = [origin(2, &[(0, 16)]), origin(0, &[(32, 16)]), origin(2, &[(0, 32)])];
    let gone = Origin { revoked: true, ..origin(1, &[(16, 16)]) };
    let after = before.with(changed.into_iter().chain([gone])).unwrap();
    assert_eq!(after.len(), 3);
    for key in 0..3 {
        assert_eq!(after.find(&keys()[key].id()), Some(OriginIndex(key as u32)));
    }
    assert!(after.owns(OriginIndex(2), Slot(0), Slot(31)), "the last word on an origin counts");
    assert!(after.owns(OriginIndex(0), Slot(32), Slot(47)) && after.is_revoked(OriginIndex(1)));
    let overlap = after.with([origin(3, &[(0, 16)])]);
    assert!(matches!(overlap, Err(DirectoryError::Overlap { .. })), "{overlap:?}");
}

#[test]
fn who_is_forgotten_is_found_no_more_and_its_place_and_slots_are_anothers() {
    let origins = (0..80).map(|key| origin(key, &[(16 * key as u32, 16)]));
    let before = directory(origins.collect()).unwrap();
    let gone = [3, 70].map(OriginIndex);
    let after = before.without(gone);
    assert_eq!((after.len(), after.places(), before.len()), (78, 80, 80));
    assert!(!after.keeps_indices_of(&before) && before.keeps_indices_of(&after));
    assert!(after.replaced_since(&before).eq(gone));
    for key in 0..80 {
        let known = (key != 3 && key != 70).then_some(OriginIndex(key as u32));
        assert_eq!(after.find(&keys()[key].id()), known);
        assert_eq!(
            after.owns(OriginIndex(key as u32), Slot(16 * key as u32), Slot(16 * key as u32)),
            known.is_some()
        );
    }
    assert!(after.indexed().all(|(index, origin)| after.find(&origin.key.id()) == Some(index)));
    let heirs = [origin(81, &[(48, 16)]), origin(82, &[]), origin(83, &[(1_120, 16)])];
    let heirs = after.with(heirs).unwrap();
    let place = |key: usize| heirs.find(&keys()[key].id());
    assert_eq!([81, 82, 83].map(place), [3, 70, 80].map(|place| Some(OriginIndex(place))));
    assert!(heirs.owns(OriginIndex(3), Slot(48), Slot(63)));
    assert!(heirs.keeps_indices_of(&after) && !heirs.keeps_indices_of(&before));
    assert_eq!((heirs.len(), before.find(&keys()[3].id())), (81, Some(OriginIndex(3))), "snapshots stay");
}

#[test]
fn nobody_is_found_in_an_empty_directory() {
    let empty = directory(Vec::new()).unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.find(&keys()[0].id()), None);
}

/// Two ids whose whole hashes are equal: the tag cannot tell them apart, the id must.
#[test]
fn ids_with_one_hash_stay_apart() {
    let (id, seed) = (keys()[0].id(), [7, 11]);
    let number = u128::from_le_bytes(id.0);
    // The hash multiplies the two seeded halves, so swapping those leaves it as it is.
    let (low, high) = (number as u64 ^ seed[0], (number >> 64) as u64 ^ seed[1]);
    let twin = NodeId((u128::from(high ^ seed[0]) | u128::from(low ^ seed[1]) << 64).to_le_bytes());
    let members = Directory::new(vec![origin(0, &[])], seed).unwrap();
    assert_eq!(members.inner.hash(&id), members.inner.hash(&twin));
    let mut found = [None; 2];
    members.find_many(&[twin, id], &mut found, |_| ());
    assert_eq!((members.find(&twin), found), (None, [None, Some(OriginIndex(0))]));
}

#[test]
fn a_revoked_origin_is_found_and_owns_nothing() {
    let revoked = Origin { revoked: true, ..origin(0, &[(0, 64)]) };
    let heir = origin(1, &[(32, 64)]);
    let members = directory(vec![revoked, heir]).unwrap();
    let (revoked, heir) = (OriginIndex(0), OriginIndex(1));
    assert_eq!(members.find(&keys()[0].id()), Some(revoked));
    assert!(members.is_revoked(revoked) && !members.is_revoked(heir));
    assert!(!members.owns(revoked, Slot(0), Slot(1)));
    assert!(members.owns(heir, Slot(32), Slot(95)));
    assert!(!members.owns(heir, Slot(31), Slot(95)));
}

#[test]
fn neighbouring_runs_of_one_origin_do_not_join() {
    let members = directory(vec![origin(0, &[(64, 16), (48, 16)])]).unwrap();
    assert!(members.owns(OriginIndex(0), Slot(48), Slot(63)));
    assert!(members.owns(OriginIndex(0), Slot(64), Slot(79)));
    assert!(!members.owns(OriginIndex(0), Slot(63), Slot(64)));
}

#[test]
fn each_broken_rule_names_its_operands() {
    let (a, b) = (keys()[0].id(), keys()[1].id());
    let run = |first, len| Run { first: Slot(first), len };
    let many: Vec<(u32, u32)> = (0..65).map(|i| (i * 16, 16)).collect();
    let cases = [
        (vec![origin(0, &many)], DirectoryError::TooManyRuns { id: a, given: 65 }),
        (vec![origin(0, &[(16, 0)])], DirectoryError::EmptyRun { id: a, run: run(16, 0) }),
        (vec![origin(0, &[(8, 16)])], DirectoryError::UnalignedRun { id: a, run: run(8, 16) }),
        (vec![origin(0, &[(16, 24)])], DirectoryError::UnalignedRun { id: a, run: run(16, 24) }),
        (
            vec![origin(0, &[(SLOTS_MAX - 16, 32)])],
            DirectoryError::PastTheEnd { id: a, run: run(SLOTS_MAX - 16, 32) },
        ),
        (vec![origin(0, &[(!15, !15)])], DirectoryError::PastTheEnd { id: a, run: run(!15, !15) }),
        (
            vec![origin(0, &[(64, 16)]), origin(1, &[(0, 80)])],
            DirectoryError::Overlap { id: b, run: run(0, 80), other: a, other_run: run(64, 16) },
        ),
        (
            vec![origin(0, &[]), origin(1, &[]), origin(0, &[])],
            DirectoryError::SameKey { id: a, first: 0, second: 2 },
        ),
    ];
    for (list, error) in cases {
        assert_eq!(refused(list), error, "{error}");
    }
    let crowd = vec![origin(0, &[]); ORIGINS_MAX + 1];
    assert_eq!(refused(crowd).to_string(), "65537 origins, where at most 65536 fit");
}

proptest! {
    /// A snapshot after many changes is the one that its list makes.
    #[test]
    fn a_successor_equals_what_is_made_anew(
        steps in prop::collection::vec((0..20_usize, 0..12_u32, 0..4_u32, any::<bool>()), 1..60),
    ) {
        let mut members = directory(Vec::new()).unwrap();
        let mut twin: BTreeMap<usize, Origin> = BTreeMap::new();
        for (key, first, runs, revoked) in steps {
            let runs: Vec<(u32, u32)> = (0..runs).map(|i| (64 * first + 32 * i, 16)).collect();
            let next = Origin { revoked, ..origin(key, &runs) };
            if revoked && runs.is_empty() {
                let place = members.find(&keys()[key].id());
                prop_assert_eq!(place.is_some(), twin.remove(&key).is_some());
                members = members.without(place);
            } else {
                let mut list = twin.clone();
                list.insert(key, next.clone());
                let anew = directory(list.values().cloned().collect());
                match members.with([next]) {
                    Ok(after) => {
                        prop_assert!(anew.is_ok(), "{anew:?}");
                        (members, twin) = (after, list);
                    }
                    Err(_) => prop_assert!(anew.is_err(), "{anew:?}"),
                }
            }
            prop_assert_eq!(members.len(), twin.len());
            for key in 0..20 {
                let found = members.find(&keys()[key].id());
                prop_assert_eq!(found.is_some(), twin.contains_key(&key));
                let Some(place) = found else { continue };
                prop_assert_eq!(members.is_revoked(place), twin[&key].revoked);
                prop_assert_eq!(&members.origin(place).runs, &twin[&key].runs);
                for slot in (0..1_024).step_by(16).map(Slot) {
                    let runs = &twin[&key].runs;
                    let owns = !twin[&key].revoked && runs.iter().any(|run| run.covers(Run { first: slot, len: 16 }));
                    prop_assert_eq!(members.owns(place, slot, Slot(slot.0 + 15)), owns);
                }
            }
        }
    }

    /// The dull twin asks every run of every live origin.
    #[test]
    fn ownership_equals_the_dull_twin(
        lens in prop::collection::vec((0..6_u32, 0..3_u32, 0..4_usize), 1..40),
        asks in prop::collection::vec((0..4_u32, 0..800_u32, 0..40_u32), 100),
    ) {
        let mut origins: Vec<Origin> = (0..4).map(|key| origin(key, &[])).collect();
        let mut at = 0;
        for (len, gap, owner) in lens {
            if len > 0 {
                origins[owner].runs.push(Run { first: Slot(at * 16), len: len * 16 });
            }
            at += len + gap;
        }
        origins[3].revoked = true;
        origins[0].runs.reverse();
        let members = directory(origins.clone()).unwrap();
        for (owner, first, more) in asks {
            let last = first + more;
            let expected = owner != 3 && origins[owner as usize].runs.iter().any(|run| {
                (first..=last).all(|slot| (run.first.0..run.first.0 + run.len).contains(&slot))
            });
            prop_assert_eq!(members.owns(OriginIndex(owner), Slot(first), Slot(last)), expected);
        }
    }
}
