//! Who is sent, told and asked what, and when: to the microsecond, the update and the neighbour.

use alloc::vec::Vec;

use super::bench::{Bench, OUTSIDER, forwards, pulls};
use crate::control::dissemination::spread::{Accepted, Lane, SpreadAction};
use crate::control::id::{FrameRef, MemberIndex, UpdateId};
use crate::control::message::gossip::{IDS_MAX, OFFER_MAX, PULL_MAX};
use crate::time::{MS, S, micros};

#[test]
fn a_new_neighbour_in_an_old_ones_place_is_not_asked_for_what_that_one_had() {
    let mut bench = Bench::new(1);
    bench.hear(0, MemberIndex(1), [7]);
    bench.spread.unlink(MemberIndex(1));
    assert!(bench.spread.link(MemberIndex(100)));
    assert_eq!(pulls(&bench.wait().1), [], "nobody here has it");
    assert_eq!(bench.spread.counts.given_up, 1);
    bench.hear(S, MemberIndex(100), [7]);
    assert_eq!(pulls(&bench.wait().1)[0], MemberIndex(100), "once it says so it is");
}

#[test]
fn who_was_asked_in_vain_says_nothing_of_who_comes_to_stand_in_its_place() {
    let mut bench = Bench::new(2);
    bench.spread_settings.pulls = 1;
    bench.hear(0, MemberIndex(1), [7]);
    bench.spread.tick(MS, &bench.spread_settings, &mut bench.actions);
    assert_eq!(pulls(bench.actions.make_contiguous()), [MemberIndex(1)]);
    bench.actions.clear();
    bench.spread.unlink(MemberIndex(1));
    assert!(bench.spread.link(MemberIndex(100)));
    bench.hear(2 * MS, MemberIndex(2), [7]);
    bench.hear(2 * MS, MemberIndex(100), [7]);
    let mut asked: Vec<_> = pulls(&bench.wait().1);
    asked.sort_unstable();
    assert_eq!(asked, [MemberIndex(2), MemberIndex(100)], "nobody who says so goes unasked");
}

#[test]
fn an_update_that_two_others_have_announced_is_sent_on_to_nobody_unasked() {
    for (announced, sent) in [(1, 1), (2, 0)] {
        let mut bench = Bench::new(8);
        (2..2 + announced).for_each(|place| _ = bench.hear(0, MemberIndex(place), [7]));
        let from = Some(2);
        assert_eq!(forwards(&bench.accept(MS / 4, 7, from, Lane::Normal)).len(), sent, "{announced} have it");
    }
}

#[test]
fn what_comes_in_one_moment_goes_on_together() {
    let mut bench = Bench::new(14);
    let first = forwards(&bench.accept(S, 1, Some(1), Lane::Normal));
    for (id, origin) in (2..20).zip(200..) {
        let accepted = Accepted {
            id: UpdateId(id),
            frame_ref: FrameRef(id),
            origin: MemberIndex(origin),
            from: Some(MemberIndex(1)),
            lane: Lane::Normal,
        };
        bench.spread.accepted(S, &bench.spread_settings, &accepted, &mut bench.actions);
        assert_eq!(forwards(bench.actions.make_contiguous()), first, "as that one, whoever issued it");
        bench.actions.clear();
    }
}

#[test]
fn announcements_wait_longer_while_nobody_asks_and_less_once_somebody_does() {
    let delay = |bench: &mut Bench, id: u64, now: u64| {
        bench.accept(now, id, None, Lane::Normal);
        let wait = bench.spread.next_due() - now;
        bench.wait();
        wait
    };
    let waits = |bench: &mut Bench, first: u64, asks: bool| {
        // Each within a second of the last, which else would begin anew.
        let waits: Vec<u64> = (first..first + 40)
            .map(|id| {
                let now = id * 500 * MS;
                let wait = delay(bench, id, now);
                if asks {
                    bench.asked(now, MemberIndex(2), [id]);
                }
                wait
            })
            .collect();
        waits[20..].iter().sum::<u64>() / 20
    };
    let mut bench = Bench::new(8);
    let (least, most) =
        (micros(bench.spread_settings.lazy_delay), micros(bench.spread_settings.lazy_delay_max));
    let quiet = waits(&mut bench, 10, false);
    assert!((most * 3 / 4..most * 5 / 4).contains(&quiet), "about the longest: {quiet}");
    let asked = waits(&mut bench, 50, true);
    assert!((least * 3 / 4..least * 5 / 4).contains(&asked), "about the shortest: {asked}");
    waits(&mut bench, 90, false);
    let after = delay(&mut bench, 1_000, 1_000 * S);
    assert!((least / 2..=least * 3 / 2).contains(&after), "after a pause it begins anew: {after}");
}

#[test]
fn whoever_sends_twice_in_a_row_what_was_here_is_told_with_the_next_announcements() {
    let mut bench = Bench::new(4);
    for id in [1, 2] {
        bench.accept(S, id, Some(1), Lane::Normal);
        bench.spread.duplicate(S, UpdateId(id), MemberIndex(3));
        bench.spread.duplicate(S, UpdateId(id), OUTSIDER);
    }
    let (_, actions) = bench.wait();
    let pruned: Vec<_> =
        actions.iter().filter(|action| matches!(action, SpreadAction::Prune { .. })).collect();
    assert_eq!(pruned, [&SpreadAction::Prune { to: MemberIndex(3), ids: Vec::from([UpdateId(2)]) }]);
    assert_eq!(bench.spread.counts.duplicates, 4);
    // Whoever says so gets the updates of that origin from elsewhere.
    bench.asked(S, MemberIndex(4), [1]);
    assert!(forwards(&bench.accept(2 * S, 3, Some(1), Lane::Normal)).contains(&MemberIndex(4)));
    bench.spread.handle_prune(MemberIndex(4), &[UpdateId(1)]);
    bench.spread.handle_prune(OUTSIDER, &[UpdateId(1)]);
    (4..20).for_each(|id| {
        let sent = forwards(&bench.accept(3 * S, id, Some(1), Lane::Normal));
        assert!(!sent.contains(&MemberIndex(4)), "{sent:?}");
    });
}

#[test]
fn what_is_asked_for_again_is_asked_after_the_timeout_and_at_first_after_a_moment() {
    let mut bench = Bench::new(3);
    (1..=3).for_each(|place| _ = bench.hear(S, MemberIndex(place), [7]));
    let (first, again) =
        (micros(bench.spread_settings.pull_delay), micros(bench.spread_settings.pull_timeout));
    for due in [S + first, S + first + again, S + first + 2 * again] {
        assert_eq!(bench.spread.next_due(), due);
        bench.spread.tick(due - 1, &bench.spread_settings, &mut bench.actions);
        assert_eq!(pulls(bench.actions.make_contiguous()), []);
        bench.spread.tick(due, &bench.spread_settings, &mut bench.actions);
        assert_eq!(pulls(bench.actions.make_contiguous()).len(), 1);
        bench.actions.clear();
    }
    assert_eq!(bench.spread.counts.pulls, 3);
}

#[test]
fn more_than_is_announced_at_once_or_asked_for_goes_in_several_messages() {
    let mut direct = Bench::new(3);
    for id in 0..3 * IDS_MAX as u64 {
        let sent = direct.accept(S, id, None, Lane::Direct);
        assert_eq!((forwards(&sent).len(), sent.len()), (3, 3));
        assert_eq!(direct.spread.next_due(), u64::MAX, "nobody announces what all were sent");
    }
    let (mut bench, mut told_of) = (Bench::new(3), 0);
    for id in 0..3 * IDS_MAX as u64 {
        for action in bench.accept(S, id, Some(1), Lane::Normal) {
            if let SpreadAction::Announce { ids, .. } = action {
                assert!(ids.len() <= IDS_MAX);
                told_of += ids.len();
            }
        }
    }
    assert!(told_of >= 2 * IDS_MAX, "a full list does not wait: {told_of}");
    bench.hear(2 * S, MemberIndex(1), (5_000..).take(PULL_MAX + 1));
    let (_, actions) = bench.wait();
    let lens: Vec<usize> = actions
        .iter()
        .filter_map(|action| if let SpreadAction::Pull { ids, .. } = action { Some(ids.len()) } else { None })
        .collect();
    assert_eq!((lens[0] + lens[1], lens[0].max(lens[1])), (PULL_MAX + 1, PULL_MAX), "{lens:?}");
}

#[test]
fn offers_name_what_came_last_and_bring_what_came_since_to_whoever_offers_less() {
    let mut bench = Bench::new(2);
    let count = OFFER_MAX as u64 + 10;
    (0..count).for_each(|id| _ = bench.accept(S + id, id, None, Lane::Normal));
    bench.wait();
    bench.spread.offer(MemberIndex(2), &mut bench.actions);
    let Some(SpreadAction::Offer { to: MemberIndex(2), ids }) = bench.actions.pop_front() else {
        panic!("an offer")
    };
    let mut named: Vec<u64> = ids.iter().map(|id| id.0).collect();
    named.sort_unstable();
    assert_eq!(named, (10..count).collect::<Vec<_>>());
    // A full offer of what is here says nothing of what is older than all of it.
    let behind = |bench: &mut Bench, now, ids: &[UpdateId]| {
        let behind =
            bench.spread.handle_offer(now, &bench.spread_settings, OUTSIDER, ids, &mut bench.actions);
        let sent = forwards(bench.actions.make_contiguous()).len();
        bench.actions.clear();
        (behind, sent)
    };
    let full: Vec<UpdateId> = (10..count).map(UpdateId).collect();
    assert_eq!(behind(&mut bench, 5 * S, &full), (false, 0));
    assert_eq!(behind(&mut bench, 5 * S, &full[1..]), (false, 11), "one less than full says what there is");
    // Most of a full offer unknown: much is lacking here. Half of it is not most.
    let half = |known: u64| -> Vec<UpdateId> {
        (10..10 + known).chain(1 << 30..).take(OFFER_MAX).map(UpdateId).collect()
    };
    let most = OFFER_MAX as u64 / 2;
    let mut other = Bench::new(2);
    (0..count).for_each(|id| _ = other.accept(S + id, id, None, Lane::Normal));
    other.wait();
    assert!(!behind(&mut other, S + MS, &half(most)).0);
    let mut other = Bench::new(2);
    (0..count).for_each(|id| _ = other.accept(S + id, id, None, Lane::Normal));
    other.wait();
    assert!(behind(&mut other, S + MS, &half(most - 1)).0);
}

#[test]
fn whoever_lacks_more_of_what_is_settled_than_an_answer_brings_is_behind() {
    for (lacks, settled, behind) in
        [(PULL_MAX, true, false), (PULL_MAX + 1, true, true), (PULL_MAX + 1, false, false)]
    {
        let mut bench = Bench::new(2);
        (0..lacks as u64).for_each(|id| _ = bench.accept(S, id, None, Lane::Normal));
        bench.wait();
        let now = S + 250 * MS - u64::from(!settled);
        let found = bench.spread.handle_offer(now, &bench.spread_settings, OUTSIDER, &[], &mut bench.actions);
        assert_eq!(found, behind, "{lacks} are lacking, and settled: {settled}");
        assert_eq!(forwards(bench.actions.make_contiguous()).len(), PULL_MAX.min(lacks));
    }
    // What was heard of only just is on its way by itself.
    let mut bench = Bench::new(2);
    bench.accept(S, 1, None, Lane::Normal);
    let rested = micros(bench.spread_settings.pull_timeout);
    for (now, sent) in [(S + rested - 1, 0), (S + rested, 1)] {
        bench.spread.handle_offer(now, &bench.spread_settings, OUTSIDER, &[], &mut bench.actions);
        assert_eq!(forwards(bench.actions.make_contiguous()).len(), sent);
        let held = bench.spread.held(now, &bench.spread_settings).count();
        assert_eq!(held, sent, "nor does a session compare it");
    }
}
