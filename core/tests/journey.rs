//! The journey of a frame through a whole node without sockets: one engine makes it, another takes it.

mod nodes;

use nodes::{LAYOUT, NOW, Node, SKEW, identity, no_ticks, run, senders, writes};
use octick_core::Reject;
use octick_core::counters::Counter;
use octick_core::data::accept::Terms;
use octick_core::data::budget::Limits;
use octick_core::data::report::{Pages, Report};
use octick_core::data::{Budgets, Directory, Ingress, Origin, Run, Sender, Update};
use octick_core::engine::Absorbed;
use octick_core::stamp::Slot;
use octick_core::wire::{Entries, Frame, Stat};
use octick_crypto::MeshKeys;

#[test]
fn a_train_makes_both_nodes_tables_equal() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let frames = there.publish(&writes());
    assert!(frames.len() > 10);
    let absorbed = here.take(&frames);
    assert_eq!(absorbed.fresh, (1 << frames.len()) - 1);
    assert_eq!(here.engine.digest(), there.engine.digest());
    let reader = here.engine.state().reader();
    assert_eq!(reader.cell8(Slot(513)).unwrap().value, 513 << 32);
    assert_eq!(reader.cell4(Slot(514)).unwrap().value, 514);
    assert_eq!(reader.row(Slot(512)).unwrap().value, 512);
    let tally = here.counters.snapshot();
    assert_eq!(tally.get(Counter::CellsWon), writes().len() as u64);
    assert_eq!(tally.get(Counter::Signatures), 1, "a train costs one signature");
}

#[test]
fn frames_of_a_train_prove_themselves_alone_and_in_any_order() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let mut frames = there.publish(&writes());
    frames.reverse();
    for frame in &frames {
        assert_eq!(here.take(std::slice::from_ref(frame)).fresh, 1);
    }
    assert_eq!(here.engine.digest(), there.engine.digest());
    assert_eq!(here.counters.snapshot().get(Counter::Signatures), 1, "the root was known after the first");
}

#[test]
fn a_duplicate_costs_no_signature() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let frames = there.publish(&writes());
    here.take(&frames);
    let signatures = here.counters.snapshot().get(Counter::Signatures);
    assert_eq!(here.refuse(&frames[3]), Reject::Duplicate);
    assert_eq!(here.counters.snapshot().get(Counter::Signatures), signatures);
}

#[test]
fn two_copies_in_one_batch_are_merged_once() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let frame = there.publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    assert_eq!(here.take(&[frame.clone(), frame]).fresh, 0b01);
    assert_eq!(here.counters.snapshot().rejected(Reject::Duplicate), 1);
}

#[test]
fn a_forged_copy_that_comes_first_does_not_hide_the_genuine_frame() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let frame = there.publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    let mut forged = frame.clone();
    forged[50] ^= 1; // a value
    assert_eq!(here.refuse(&forged), Reject::BadSignature);
    assert_eq!(here.take(&[forged, frame.clone()]).fresh, 0b10);
    assert_eq!(here.refuse(&frame), Reject::Duplicate);
}

#[test]
fn another_signature_over_a_known_root_is_checked_like_any_other() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let frames = there.publish(&writes());
    assert_eq!(here.take(&frames[..1]).fresh, 1);
    let mut altered = frames[1].clone();
    let signature = Frame::parse(&altered).unwrap().signed_part().len();
    altered[signature + 40] ^= 1;
    assert_eq!(here.refuse(&altered), Reject::BadSignature);
    assert_eq!(here.take(&frames[1..2]).fresh, 1);
}

#[test]
fn a_train_of_another_mesh_does_not_verify() {
    let mut here = Node::new(0);
    let mut there = Node::new(1);
    let frame = there.publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    here.ingress = Ingress::new(
        Directory::new(
            vec![Origin { key: identity(1).public().clone(), runs: vec![run(1)], revoked: false }],
            [0; 2],
        )
        .unwrap(),
        here.engine.windows(),
        Terms { layout: LAYOUT, skew_micros_max: SKEW },
        MeshKeys::derive("another"),
        here.counters.clone(),
        no_ticks,
    );
    assert_eq!(here.refuse(&frame), Reject::BadSignature);
}

#[test]
fn unknown_and_revoked_origins_are_told_apart() {
    let frame = Node::new(1).publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    let mut stranger = Node::with(0, 1, |origins| drop(origins.pop()));
    assert_eq!(stranger.refuse(&frame), Reject::UnknownOrigin);
    let mut strict = Node::with(0, 1, |origins| origins[1].revoked = true);
    assert_eq!(strict.refuse(&frame), Reject::RevokedOrigin);
}

#[test]
fn an_origin_writes_only_its_own_slots() {
    let mut there = Node::new(1);
    let frame = there.publish(&[Update::Cell8(Slot(800), 1)]).remove(0);
    let shorter = Run { first: Slot(512), len: 256 };
    let mut here = Node::with(0, 1, |origins| origins[1].runs = vec![shorter]);
    assert_eq!(here.refuse(&frame), Reject::NotOwner);
}

#[test]
fn a_version_from_the_future_is_refused_and_not_remembered() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    there.engine.write(Update::Cell8(Slot(512), 1)).unwrap();
    let frame = there.engine.flush(NOW + SKEW + 1).unwrap().frames().next().unwrap().to_vec();
    assert_eq!(here.refuse(&frame), Reject::Future);
    let later = here.ingress.check(&[&frame], &senders(1), NOW + 1);
    assert_eq!(here.engine.absorb(&later).fresh, 1, "its time has come");
}

#[test]
fn an_earlier_life_is_over_once_a_later_one_spoke() {
    let mut here = Node::new(0);
    let old = Node::with(1, 1, |_| ()).publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    let new = Node::with(1, 2, |_| ()).publish(&[Update::Cell8(Slot(512), 2)]).remove(0);
    assert_eq!(here.take(&[new]).fresh, 1);
    assert_eq!(here.refuse(&old), Reject::OldIncarnation);
}

#[test]
fn a_frame_behind_the_window_is_counted() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let first = there.publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    let mut last = Vec::new();
    for n in 0..400 {
        last = there.publish(&[Update::Cell8(Slot(512), n)]);
    }
    here.take(&last);
    assert_eq!(here.refuse(&first), Reject::BehindWindow);
}

#[test]
fn a_ping_is_answered_once_and_carries_the_report() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let ping = there.engine.query_stats(77, NOW).frames().next().unwrap().to_vec();
    assert_eq!(here.take(std::slice::from_ref(&ping)), Absorbed { queries: 1, ..Absorbed::default() });
    assert_eq!(here.refuse(&ping), Reject::StaleQuery);
    let report = Report { tally: here.counters.snapshot(), ..Report::default() };
    let pong = here.engine.reply_stats(77, &report, NOW).frames().next().unwrap().to_vec();
    assert_eq!(there.take(std::slice::from_ref(&pong)), Absorbed { replies: 1, ..Absorbed::default() });
    let Entries::Stats(stats) = Frame::parse(&pong).unwrap().entries() else {
        panic!("a pong carries stats")
    };
    assert_eq!(stats[0], Stat::new(Stat::TOKEN, 77));
    assert_eq!(Pages::default().take(stats), Some(report));
}

#[test]
fn a_refresh_repairs_what_was_lost() {
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let frames = there.publish(&writes());
    here.take(&frames[2..5]);
    assert_ne!(here.engine.digest(), there.engine.digest());
    there.engine.refresh();
    let again: Vec<_> = there.engine.flush(NOW + 5_000).unwrap().frames().map(<[u8]>::to_vec).collect();
    here.take(&again);
    assert_eq!(here.engine.digest(), there.engine.digest());
}

/// Bad frames that a full account of a peer pays for: a quarter of a second's.
const BAD_AT_ONCE: usize = 250;
const PEER: Sender = Sender(0);
const STRANGERS: [Sender; 2] = [Sender(1), Sender(2)];

/// A node that knows one peer's address and tells two strangers apart.
fn guarded() -> Node {
    let mut node = Node::new(0);
    let empty = Node::new(0).ingress;
    let ingress = std::mem::replace(&mut node.ingress, empty);
    node.ingress = ingress.with_budgets(Budgets::new(&Limits::default(), 1, STRANGERS.len() as u32));
    node
}

impl Node {
    /// Takes `frame` from `sender`, `times` over; returns how many were refused unread.
    fn flood(&mut self, frame: &[u8], sender: Sender, times: usize) -> u64 {
        let before = self.counters.snapshot();
        for _ in 0..times {
            let batch = self.ingress.check(&[frame], &[sender], NOW);
            self.engine.absorb(&batch);
        }
        let counted = self.counters.snapshot().since(&before);
        counted.rejected(Reject::OverBudget) + counted.rejected(Reject::StrangersOverBudget)
    }
}

/// A frame of node 1, and the same with another value.
fn genuine_and_forged() -> (Vec<u8>, Vec<u8>) {
    let genuine = Node::new(1).publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    let mut forged = genuine.clone();
    forged[50] ^= 1;
    (genuine, forged)
}

#[test]
fn a_forger_pays_and_not_the_origin_in_whose_name_it_forges() {
    let mut here = guarded();
    let (genuine, forged) = genuine_and_forged();
    assert!(here.flood(&forged, STRANGERS[0], 1_000) > 950);
    let signatures = here.counters.snapshot().get(Counter::Signatures);
    assert!(signatures < 50, "a stranger is refused after a few dozen, not {signatures}");
    assert_eq!(here.flood(&genuine, PEER, 1), 0);
    assert_eq!(here.counters.snapshot().get(Counter::FramesFresh), 1, "the genuine frame is taken");
}

#[test]
fn a_peer_that_sends_bad_signatures_is_refused_before_anything_is_hashed() {
    let mut here = guarded();
    let (genuine, forged) = genuine_and_forged();
    assert_eq!(here.flood(&forged, PEER, BAD_AT_ONCE - 2), 0);
    assert!(here.flood(&forged, PEER, 10) > 0);
    let signatures = here.counters.snapshot().get(Counter::Signatures);
    assert_eq!(here.flood(&genuine, PEER, 1), 1, "not even a good one is looked at");
    assert_eq!(here.counters.snapshot().get(Counter::Signatures), signatures);
    let later = here.ingress.check(&[&genuine], &[PEER], NOW + 1_000_000);
    assert_eq!(here.engine.absorb(&later).fresh, 1, "time makes up for it");
}

#[test]
fn a_replayed_pong_is_paid_for_though_its_root_is_known() {
    let mut here = guarded();
    let pong = Node::new(1).engine.reply_stats(1, &Report::default(), NOW).frames().next().unwrap().to_vec();
    let taken = 20_000 - here.flood(&pong, STRANGERS[0], 20_000);
    assert!((11_000..13_000).contains(&taken), "a quarter of a second's checks, not {taken}");
    assert_eq!(here.counters.snapshot().get(Counter::Signatures), 1);
}

#[test]
fn duplicates_are_free() {
    let mut here = guarded();
    let (genuine, _) = genuine_and_forged();
    assert_eq!(here.flood(&genuine, STRANGERS[0], 100_000), 0);
    assert_eq!(here.counters.snapshot().rejected(Reject::Duplicate), 99_999);
}

#[test]
fn a_wall_clock_that_steps_back_an_hour_loses_no_write() {
    const HOUR: u64 = 3_600_000_000;
    let (mut here, mut there) = (Node::new(0), Node::new(1));
    let write = |node: &mut Node, value: u32, wall: u64| -> Vec<Vec<u8>> {
        for update in [
            Update::Cell8(Slot(512), value.into()),
            Update::Cell4(Slot(513), value),
            Update::Row(Slot(514), value.into()),
        ] {
            node.engine.write(update).unwrap();
        }
        assert!(node.engine.pending(wall).is_some_and(|wait| wait <= 1_024));
        node.engine.flush(wall).expect("something is pending").frames().map(<[u8]>::to_vec).collect()
    };
    let version = |frames: &[Vec<u8>]| Frame::parse(&frames[0]).unwrap().header().version();

    // Its own writes: the later one wins on every node, whatever the clock said meanwhile.
    let before = write(&mut there, 1, NOW);
    let after = write(&mut there, 2, NOW - HOUR);
    here.take(&after);
    here.take(&before);
    let reader = here.engine.state().reader();
    let held = (reader.cell8(Slot(512)), reader.cell4(Slot(513)), reader.row(Slot(514)));
    assert_eq!((held.0.unwrap().value, held.1.unwrap().value, held.2.unwrap().value), (2, 2, 2));
    assert_eq!(here.engine.digest(), there.engine.digest());

    // And those of others that it has merged: what it writes then is later than they are.
    let ahead = write(&mut there, 3, NOW + SKEW / 2);
    here.take(&ahead);
    here.engine.write(Update::Cell8(Slot(0), 7)).unwrap();
    let own: Vec<Vec<u8>> =
        here.engine.flush(NOW - HOUR).expect("pending").frames().map(<[u8]>::to_vec).collect();
    assert!(version(&own) > version(&ahead));
}

#[test]
fn what_another_thread_found_good_is_reopened_and_nothing_else() {
    let mut there = Node::new(1);
    let frames = there.publish(&writes());
    let views = || frames.iter().map(Vec::as_slice).take(5);
    let here = Node::new(0);
    let directory = here.engine.directory();
    let batch = octick_core::data::Batch::reopen(views(), 0b01101, directory);
    assert_eq!(batch.mask(), 0b01101);
    assert!(batch.get(1).is_none() && batch.get(2).is_some_and(|checked| checked.frame.bytes() == frames[2]));
    let nobody = Directory::new(vec![], [1, 2]).unwrap();
    assert_eq!(octick_core::data::Batch::reopen(views(), 0b01101, &nobody).mask(), 0, "its origin has left");
}

#[test]
fn the_verifier_that_was_chosen_decides_and_what_it_proved_is_forgotten_with_the_directory() {
    use octick_crypto::Verifier;
    use octick_crypto::lanes::{Kernel, Settings};

    let chosen = Settings { kernel: Some(Kernel::Portable), ..Settings::default() };
    let mut here = Node::new(0);
    assert!(here.ingress.signatures().is_none() && !here.ingress.build_step(), "none was needed yet");
    here.ingress.set_signatures(Verifier::new(chosen));
    let frames = Node::new(1).publish(&writes());
    here.take(&frames[..1]);
    assert_eq!(here.ingress.signatures().map(Verifier::kernel), Some(Kernel::Portable));
    here.take(&frames[1..2]);
    assert_eq!(here.counters.snapshot().get(Counter::Signatures), 1);
    let directory = here.engine.directory().clone();
    here.ingress.set_directory(directory);
    here.take(&frames[2..3]);
    assert_eq!(here.counters.snapshot().get(Counter::Signatures), 1, "it is where it was");
    // Another directory, in which origins have other places.
    let mut moved: Vec<Origin> = here.engine.directory().origins().cloned().collect();
    moved.reverse();
    here.ingress.set_directory(Directory::new(moved, [1, 2]).unwrap());
    here.ingress.check(&[&frames[5]], &senders(1), NOW);
    here.ingress.check(&[&frames[6]], &senders(1), NOW);
    assert_eq!(here.counters.snapshot().get(Counter::Signatures), 2, "whose train it is may have changed");
}

#[test]
fn a_control_frame_of_a_stranger_is_noted_at_its_place_in_the_batch() {
    let mut there = Node::new(1);
    let known = there.publish(&[Update::Cell8(Slot(512), 1)]).remove(0);
    let mut sealer = octick_core::wire::Sealer::new();
    let mut message = octick_core::wire::ControlFrame::new();
    assert!(message.push(1, &[]));
    sealer.frame(octick_core::wire::Kind::Control, |draft| draft.control_frame(&message));
    let (version, incarnation) =
        (octick_core::stamp::Version::new(NOW, identity(9).id()), octick_core::stamp::Incarnation(1));
    let stamp = octick_core::wire::Stamp { incarnation, first_seq: octick_core::stamp::Seq(1), version };
    sealer.seal(&identity(9), &MeshKeys::derive(nodes::MESH), &stamp);
    let stranger = sealer.frames().next().unwrap().to_vec();
    let mut here = Node::new(0);
    let batch = here.ingress.check(&[&known, &stranger, &known, &stranger], &senders(4), NOW);
    assert_eq!((batch.mask() | batch.repeats, batch.strangers), (0b0101, 0b1010));
}
