//! The view beside its owner, in every interleaving. What it promises: whatever a view refuses, the owner refuses too.

use alloc::vec::Vec;

use loom::thread;

use super::*;
use crate::sync::model;

const ORIGIN: OriginIndex = OriginIndex(0);

/// The owner accepts `accepted` while a view is asked about `asked`, none of which the owner has accepted. What the view
/// refused is offered to the owner afterwards: it has to refuse it as well.
fn whatever_a_view_refuses_the_owner_refuses(accepted: &'static [(u32, u64)], asked: &'static [(u32, u64)]) {
    assert!(asked.iter().all(|frame| !accepted.contains(frame)), "a true duplicate shows nothing");
    model(move || {
        let mut windows = Windows::new(1);
        let view = windows.view();
        let owner = thread::spawn(move || {
            for &(life, seq) in accepted {
                windows.insert(ORIGIN, Incarnation(life), Seq(seq)).unwrap();
            }
            windows
        });
        let ask = |&(life, seq)| view.ask(ORIGIN, Incarnation(life), Seq(seq));
        let answers: Vec<Seen> = asked.iter().map(ask).collect();
        let mut windows = owner.join().unwrap();
        for (&(life, seq), answer) in asked.iter().zip(answers) {
            if answer != Seen::New {
                let verdict = windows.insert(ORIGIN, Incarnation(life), Seq(seq));
                assert!(verdict.is_err(), "{seq} of life {life} was hidden as {answer:?}");
            }
        }
    });
}

#[test]
fn a_bit_of_a_number_that_left_the_window_hides_no_later_one() {
    // 389 has the bit of 5, which is cleared before the highest number passes it.
    whatever_a_view_refuses_the_owner_refuses(&[(0, 5), (0, 390)], &[(0, 389)]);
}

#[test]
fn a_bit_of_a_number_two_windows_back_hides_no_later_one() {
    whatever_a_view_refuses_the_owner_refuses(&[(0, 5), (0, 388), (0, 800)], &[(0, 773)]);
}

#[test]
fn bits_of_an_old_life_hide_nothing_of_the_new_one() {
    whatever_a_view_refuses_the_owner_refuses(&[(1, 5), (2, 6)], &[(2, 5)]);
}

#[test]
fn the_highest_number_of_an_old_life_puts_nothing_of_the_new_one_behind() {
    whatever_a_view_refuses_the_owner_refuses(&[(1, 1_000), (2, 2)], &[(2, 1), (2, 3)]);
}

#[test]
fn a_view_finds_every_number_that_was_accepted_before_it_was_told_so() {
    model(|| {
        let mut windows = Windows::new(1);
        let view = windows.view();
        windows.insert(ORIGIN, Incarnation(1), Seq(7)).unwrap();
        let asker = thread::spawn(move || view.ask(ORIGIN, Incarnation(1), Seq(7)));
        windows.insert(ORIGIN, Incarnation(1), Seq(9)).unwrap();
        assert_eq!(asker.join().unwrap(), Seen::Duplicate);
    });
}
