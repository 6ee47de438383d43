//! What one node promises its neighbours, those included that mean it harm.

use alloc::vec;
use alloc::vec::Vec;

use super::bench::{Bench, OUTSIDER, forwards, pulls, told};
use crate::control::dissemination::overlay::Overlay;
use crate::control::dissemination::spread::{LINKS_MAX, Lane, SpreadAction};
use crate::control::id::{FrameRef, MemberIndex, UpdateId};
use crate::control::message::gossip::{OFFER_MAX, PULL_MAX};
use crate::time::{MS, S, micros};

#[test]
fn an_update_goes_to_one_at_once_and_its_id_to_the_others_later() {
    let mut bench = Bench::new(14);
    let eager = forwards(&bench.accept(0, 7, Some(3), Lane::Normal));
    assert!(eager.len() == 1 && eager[0] != MemberIndex(3));
    bench.hear(MS, MemberIndex(5), [7]);
    let (at, actions) = bench.wait();
    let told = told(&actions);
    assert!((3 * MS..=9 * MS).contains(&at));
    assert_eq!(told.len(), 11, "not the sender, nor the eager one, nor who announced it");
    assert!(!told.contains(&MemberIndex(3)) && !told.contains(&MemberIndex(5)) && !told.contains(&eager[0]));
}

#[test]
fn ids_of_many_updates_share_a_message() {
    let mut bench = Bench::new(3);
    (0..50).for_each(|id| _ = bench.accept(id, id, Some(1), Lane::Normal));
    let (_, actions) = bench.wait();
    assert_eq!(told(&actions).len(), 1, "one has them in the tree of their origin, and the sender");
}

#[test]
fn a_critical_update_is_sent_to_four_and_told_to_all_at_once() {
    let mut bench = Bench::new(14);
    let actions = bench.accept(0, 7, None, Lane::Critical);
    assert_eq!((forwards(&actions).len(), told(&actions).len()), (4, 10));
    bench.spread.send(UpdateId(7), OUTSIDER, &mut bench.actions);
    assert_eq!(forwards(bench.actions.make_contiguous()), [OUTSIDER], "and straight to whom it concerns");
}

#[test]
fn a_copy_that_is_not_verified_is_neither_sent_on_nor_served() {
    let mut bench = Bench::new(4);
    bench.hear(0, MemberIndex(1), [7]);
    assert!(bench.asked(0, MemberIndex(2), [7]).is_empty() && !bench.spread.holds(UpdateId(7)));
    bench.spread.send(UpdateId(7), MemberIndex(2), &mut bench.actions);
    assert!(bench.actions.is_empty());
    assert!(!bench.accept(MS, 7, Some(1), Lane::Normal).is_empty(), "the genuine one is new");
}

#[test]
fn what_is_missing_is_asked_of_one_holder_after_the_other() {
    let mut bench = Bench::new(6);
    (1..=3).for_each(|i| _ = bench.hear(0, MemberIndex(i), [7]));
    bench.hear(0, OUTSIDER, [7]);
    let (_, actions) = bench.wait();
    let mut first = pulls(&actions)[..4].to_vec();
    first.sort_unstable();
    assert_eq!(first, [MemberIndex(1), MemberIndex(2), MemberIndex(3), OUTSIDER]);
    assert_eq!(pulls(&actions).len(), usize::from(bench.spread_settings.pulls));
    assert_eq!(bench.spread.counts.given_up, 1);
}

/// Neighbour 1 speaks first and sends nothing, and all pulls go to it. Returns when it was given up.
fn given_up_too_early(bench: &mut Bench) -> u64 {
    bench.hear(0, MemberIndex(1), [7]);
    let (at, actions) = bench.wait();
    let pulls = pulls(&actions);
    assert!(pulls.len() >= usize::from(bench.spread_settings.pulls) && bench.spread.counts.given_up == 1);
    at
}

#[test]
fn each_of_those_who_announce_together_what_was_given_up_is_asked() {
    let mut bench = Bench::new(6);
    let at = given_up_too_early(&mut bench);
    (2..=5).for_each(|i| _ = bench.hear(at, MemberIndex(i), [7]));
    let mut asked = pulls(&bench.wait().1);
    asked.sort_unstable();
    assert_eq!(asked, [2, 3, 4, 5].map(MemberIndex));
}

#[test]
fn what_was_given_up_is_asked_of_whoever_offers_it_again() {
    let mut bench = Bench::new(6);
    let at = given_up_too_early(&mut bench);
    (2..=5).for_each(|i| _ = bench.hear(at, MemberIndex(i), [7]));
    // All that was asked, or answered, is lost.
    let (at, _) = bench.wait();
    let (mut asked, offered) = (Vec::new(), [UpdateId(7)]);
    for offer in 0..100 {
        let (now, from) = (at + u64::from(offer) * 100 * MS, MemberIndex(2 + offer % 4));
        bench.spread.handle_offer(now, &bench.spread_settings, from, &offered, &mut bench.actions);
        asked.push(pulls(&bench.wait().1));
    }
    let pulls_max = usize::from(bench.spread_settings.pulls);
    for (offer, asked) in (0..).zip(&asked[..pulls_max]) {
        assert_eq!(*asked, [MemberIndex(2 + offer % 4)], "of whoever offered it");
    }
    assert!(asked[pulls_max..].iter().all(Vec::is_empty), "not for ever");
    bench.hear(at + 11 * S, MemberIndex(6), [7]);
    assert_eq!(
        pulls(&bench.wait().1),
        [MemberIndex(6)],
        "who speaks for the first time is asked all the same"
    );
}

#[test]
fn what_came_meanwhile_is_not_asked_for() {
    let mut bench = Bench::new(6);
    bench.hear(0, MemberIndex(1), [7]);
    bench.accept(MS / 4, 7, Some(2), Lane::Normal);
    let (_, actions) = bench.wait();
    assert!(pulls(&actions).is_empty());
}

#[test]
fn who_announces_what_does_not_exist_is_soon_no_longer_believed() {
    let mut bench = Bench::new(6);
    let mut asked = 0;
    for round in 0..200 {
        bench.hear(round * S, MemberIndex(1), (round * 64..).take(64));
        asked += pulls(&bench.wait().1).len();
    }
    assert!(bench.spread.counts.ids_refused >= 198 * 64 && asked < 64, "{asked} {:?}", bench.spread.counts);
    bench.hear(300 * S, MemberIndex(2), [1 << 40]);
    assert_eq!(pulls(&bench.wait().1)[0], MemberIndex(2), "others still are");
    bench.accept(300 * S, 1 << 41, Some(1), Lane::Normal);
    bench.hear(301 * S, MemberIndex(1), [1 << 42]);
    assert_eq!(pulls(&bench.wait().1)[0], MemberIndex(1), "who delivers is believed again");
}

#[test]
fn announcements_of_a_crowd_take_bounded_memory() {
    let mut bench = Bench::new(LINKS_MAX as u32);
    for id in 0..100_000 {
        bench.hear(id, MemberIndex(1_000 + id as u32), (id * 64..).take(64));
    }
    assert!(bench.spread.memory() < 1 << 20, "{}", bench.spread.memory());
    assert!(bench.spread.counts.ids_refused > 6_000_000);
}

#[test]
fn a_liar_does_not_fill_the_room_in_which_others_are_heard() {
    let mut bench = Bench::new(6);
    (0..1_000).for_each(|i| _ = bench.hear(0, MemberIndex(1), (i * 64..).take(64)));
    (0..1_000).for_each(|i| _ = bench.hear(0, OUTSIDER, ((1 << 30) + i * 64..).take(64)));
    bench.hear(0, MemberIndex(2), [1 << 40]);
    bench.spread.tick(MS, &bench.spread_settings, &mut bench.actions);
    assert!(pulls(bench.actions.make_contiguous()).contains(&MemberIndex(2)));
}

#[test]
fn a_pull_of_everything_is_served_within_bounds_and_others_still_are() {
    let mut bench = Bench::new(6);
    (0..5_000).for_each(|id| _ = bench.accept(0, id, None, Lane::Normal));
    bench.wait();
    assert_eq!(bench.asked(S, MemberIndex(1), 0..5_000).len(), PULL_MAX, "in one message");
    let served: usize = (0..5_000)
        .step_by(32)
        .map(|first| bench.asked(S, MemberIndex(1), first..(first + 32).min(5_000)).len())
        .sum();
    assert_eq!(served + PULL_MAX, usize::from(bench.spread_settings.served_max), "in one second");
    assert!(bench.spread.counts.pulls_refused > 4_000);
    assert_eq!(bench.asked(S, MemberIndex(2), [1]).len(), 1);
    assert_eq!(bench.asked(2 * S, MemberIndex(1), [1]).len(), 1, "and again in the next second");
    bench.asked(2 * S, MemberIndex(2), 1 << 40..(1 << 40) + 10);
    assert_eq!(bench.spread.counts.pulls_unknown, 10);
}

#[test]
fn an_offer_brings_both_sides_what_they_lack() {
    let mut bench = Bench::new(2);
    (1..=3).for_each(|id| _ = bench.accept(0, id, None, Lane::Normal));
    bench.wait();
    let offered = [UpdateId(2), UpdateId(9)];
    bench.spread.handle_offer(S, &bench.spread_settings, OUTSIDER, &offered, &mut bench.actions);
    assert_eq!(
        forwards(core::mem::take(&mut bench.actions).make_contiguous()),
        [OUTSIDER, OUTSIDER],
        "1 and 3"
    );
    assert_eq!(pulls(&bench.wait().1)[0], OUTSIDER, "9");
}

#[test]
fn a_new_neighbour_in_an_old_ones_place_is_told_anew() {
    let mut bench = Bench::new(LINKS_MAX as u32);
    assert!(!bench.spread.link(MemberIndex(100)), "no room");
    bench.accept(0, 7, Some(1), Lane::Normal);
    bench.spread.unlink(MemberIndex(1));
    assert!(bench.spread.link(MemberIndex(100)));
    assert!(told(&bench.wait().1).contains(&MemberIndex(100)));
}

#[test]
fn what_is_old_is_forgotten_and_its_bytes_are_released() {
    let mut bench = Bench::new(2);
    (1..=3).for_each(|id| _ = bench.accept(id * S, id, None, Lane::Normal));
    bench.wait();
    bench.spread.tick(2 * S + micros(bench.spread_settings.keep), &bench.spread_settings, &mut bench.actions);
    assert_eq!(bench.actions, [SpreadAction::Forget(UpdateId(1)), SpreadAction::Forget(UpdateId(2))]);
    assert_eq!(bench.spread.convergence.count, 3);
}

#[test]
fn one_more_than_there_is_room_for_forgets_the_oldest() {
    let mut bench = Bench::new(2);
    bench.spread_settings.updates_max = 10;
    let actions: Vec<SpreadAction> = (0..12).flat_map(|id| bench.accept(0, id, None, Lane::Normal)).collect();
    let forgotten = actions.iter().filter(|action| matches!(action, SpreadAction::Forget(_))).count();
    assert_eq!((forgotten, bench.spread.counts.crowded_out), (2, 2));
}

#[test]
fn an_idle_node_takes_less_than_a_kilobyte_its_overlay_included() {
    let mut bench = Bench::new(14);
    bench.accept(0, 1, Some(1), Lane::Normal);
    bench.hear(0, MemberIndex(1), [2]);
    bench.wait();
    bench.spread.tick(100 * S, &bench.spread_settings, &mut bench.actions);
    let (mut overlay, mut changes) = (Overlay::default(), Vec::new());
    overlay.want(0, &(1..=14).map(MemberIndex).collect::<Vec<_>>(), &mut changes);
    let (spread, overlay) = (bench.spread.memory(), overlay.memory());
    assert!(spread + overlay <= 1_000, "{spread} {overlay}");
}

#[test]
fn who_is_no_neighbour_any_longer_leaves_nothing_behind_in_what_is_known_of_others() {
    let mut bench = Bench::new(3);
    bench.accept(S, 1, Some(1), Lane::Normal);
    bench.spread.unlink(MemberIndex(2));
    assert!(bench.spread.link(MemberIndex(4)), "in the place of the one that is gone");
    let (_, actions) = bench.wait();
    let told: Vec<MemberIndex> = actions
        .iter()
        .filter_map(|action| if let SpreadAction::Announce { to, .. } = action { Some(*to) } else { None })
        .collect();
    assert!(!told.contains(&MemberIndex(1)), "it has the update");
    assert!(told.contains(&MemberIndex(4)), "it was told nothing: {told:?}");
}

#[test]
fn the_tree_of_a_place_that_is_given_to_another_is_forgotten() {
    let mut bench = Bench::new(6);
    bench.accept(S, 1, Some(1), Lane::Normal);
    let wanting: Vec<u32> = (2..=6).collect();
    wanting.iter().for_each(|i| _ = bench.asked(S + MS, MemberIndex(*i), [1]));
    bench.wait();
    assert_eq!(forwards(&bench.accept(2 * S, 2, Some(1), Lane::Normal)).len(), 5, "whoever asked once");
    bench.spread.forget_origin(MemberIndex(90));
    assert_eq!(forwards(&bench.accept(3 * S, 3, Some(1), Lane::Normal)).len(), 1, "as of one unheard of");
}

#[test]
fn all_memory_is_counted() {
    let mut bench = Bench::new(0);
    let before = bench.spread.memory();
    bench.spread.link(MemberIndex(1));
    let linked = bench.spread.memory();
    assert!(linked > before);
    bench.accept(S, 1, None, Lane::Normal);
    let held = bench.spread.memory();
    assert!(held > linked + 100, "an update, its place, and that it is to be announced");
    bench.hear(S, MemberIndex(1), [2, 3, 4]);
    let missing = bench.spread.memory();
    assert!(missing > held, "what is missing, and until when");
    for _ in 0..2 {
        bench.spread.duplicate(S, UpdateId(1), MemberIndex(1));
    }
    let repeated = bench.spread.memory();
    assert!(repeated > missing, "what came twice");
    bench.spread.forget_origin(MemberIndex(90));
    assert!(bench.spread.memory() < repeated, "a tree");
}

#[test]
fn whoever_sent_a_copy_is_not_told_that_the_update_is_here() {
    let mut bench = Bench::new(4);
    bench.accept(S, 1, Some(1), Lane::Normal);
    bench.spread.duplicate(S, UpdateId(1), MemberIndex(3));
    let (_, actions) = bench.wait();
    let told = |place| {
        let to = MemberIndex(place);
        actions.iter().any(|action| matches!(action, SpreadAction::Announce { to: told, .. } if *told == to))
    };
    assert!(!told(1) && !told(3), "{actions:?}");
    assert!((1..=4).filter(|place| told(*place)).count() > 0, "{actions:?}");
}

#[test]
fn updates_that_were_crowded_out_do_not_keep_others_from_converging() {
    let mut bench = Bench::new(1);
    bench.spread_settings.updates_max = 2;
    (1..=5).for_each(|id| _ = bench.accept(S, id, None, Lane::Normal));
    bench.wait();
    bench.spread.tick(5 * S, &bench.spread_settings, &mut bench.actions);
    assert_eq!((bench.spread.counts.crowded_out, bench.spread.convergence.count), (3, 2));
}

#[test]
fn what_cannot_be_served_is_not_named_nor_held_against_anybody() {
    let mut bench = Bench::new(2);
    (1..=300).for_each(|id| _ = bench.accept(id, id, None, Lane::Normal));
    bench.wait();
    let held = |bench: &Bench| bench.spread.held(S, &bench.spread_settings).count();
    assert_eq!(held(&bench), 300);
    let offer: Vec<UpdateId> = (101..).take(OFFER_MAX).map(UpdateId).collect();
    // Of what was offered half is here since the 149th: more is lacking there than one answer brings.
    let behind = |bench: &mut Bench| {
        let spread_settings = bench.spread_settings;
        let behind = bench.spread.handle_offer(S, &spread_settings, OUTSIDER, &offer, &mut bench.actions);
        let sent = core::mem::take(&mut bench.actions).into_iter().filter_map(|action| match action {
            SpreadAction::Forward { frame_ref, .. } => Some(frame_ref.0),
            _ => None,
        });
        (behind, sent.collect::<Vec<_>>())
    };
    assert_eq!(behind(&mut bench), (true, (269..=300).rev().collect()));
    bench.spread.forget_bytes(FrameRef(281));
    assert_eq!(held(&bench), 20);
    assert_eq!(behind(&mut bench), (false, (281..=300).rev().collect()));
    bench.spread.forget_bytes(FrameRef(301));
    assert_eq!((held(&bench), behind(&mut bench)), (0, (false, vec![])));
    assert!(bench.spread.holds(UpdateId(1)), "it is here all the same, and not asked for");
}

#[test]
fn what_is_pushed_leaves_who_asks_its_pulls() {
    let mut bench = Bench::new(2);
    let most = u64::from(bench.spread_settings.served_max);
    (0..4 * most).for_each(|id| _ = bench.accept(0, id, None, Lane::Normal));
    bench.wait();
    let ids: Vec<UpdateId> = (0..4 * most).map(UpdateId).collect();
    for _ in 0..2 {
        bench.spread.give(S, &bench.spread_settings, MemberIndex(1), &ids, &mut bench.actions);
    }
    assert_eq!(forwards(core::mem::take(&mut bench.actions).make_contiguous()).len() as u64, 2 * most);
    let counts = bench.spread.counts;
    assert_eq!((u64::from(counts.pushes_refused), counts.pulls_refused), (6 * most, 0));
    for first in (0..most).step_by(PULL_MAX) {
        let asked = first..(first + PULL_MAX as u64).min(most);
        assert_eq!(bench.asked(S, MemberIndex(1), asked.clone()).len() as u64, asked.end - asked.start);
    }
    assert!(bench.asked(S, MemberIndex(1), [1]).is_empty() && bench.spread.counts.pulls_refused == 1);
    bench.spread.give(2 * S, &bench.spread_settings, MemberIndex(1), &ids[..1], &mut bench.actions);
    assert_eq!(bench.actions.len(), 1, "and again in the next second");
}
