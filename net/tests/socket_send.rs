//! Trains go to every peer, and what does not go is said.

mod socket_rig;

use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};

use octick::socket::Choice;
use socket_rig::{LOOPBACK, backends, frame, frames, open, pool};

#[test]
fn every_peer_gets_every_frame_whatever_the_lengths() {
    for backend in backends() {
        let pool = pool();
        let mut sender = open(backend, &pool);
        let mut peers: Vec<_> = (0..70).map(|_| open(Choice::Mmsg, &pool)).collect();
        let to: Vec<_> = peers.iter().map(|peer| peer.local_address()).collect();
        let lens = [1_232, 1_232, 1_232, 40, 100, 100, 99, 1_000, 1, 1, 2];
        let train: Vec<_> = lens.iter().zip(0..).map(|(&len, number)| frame(number, len)).collect();
        let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
        let outcome = sender.send_train(&slices, &to);
        assert_eq!((outcome.frames_sent, outcome.stopped), (lens.len() * 70, None));
        for peer in &mut peers {
            let got: Vec<_> = frames(peer, lens.len()).into_iter().map(|(_, bytes)| bytes).collect();
            assert_eq!(got, train);
        }
        // 70 peers, 5 messages each, 64 messages a call.
        assert_eq!(sender.counters().syscalls, 350_u64.div_ceil(64));
        assert_eq!(sender.counters().frames_sent, 770);
    }
}

#[test]
fn a_received_train_is_relayed_from_where_it_lies() {
    let pool = pool();
    let (mut a, mut b, mut c) =
        (open(Choice::Mmsg, &pool), open(Choice::Mmsg, &pool), open(Choice::Mmsg, &pool));
    let train: Vec<_> = (0..64).map(|number| frame(number, 1_000)).collect();
    let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
    let _ = a.send_train(&slices, &[b.local_address()]);
    let to = [c.local_address()];
    let mut relay = b.sender();
    socket_rig::poll_until(&mut b, |out| {
        let Some(arrival) = out.pop() else { return false };
        let received: Vec<&[u8]> = arrival.frames().collect();
        assert_eq!(relay.send_train(&received, &to).frames_sent, 64);
        true
    });
    let got = frames(&mut c, 64);
    assert!(got.iter().all(|(from, _)| *from == b.local_address()));
    assert!(got.iter().map(|(_, bytes)| bytes).eq(&train));
}

#[test]
fn a_kernel_that_does_not_cut_gets_frame_by_frame() {
    let pool = pool();
    let (mut a, mut b) = (open(Choice::Mmsg, &pool), open(Choice::Mmsg, &pool));
    // Without checksums the kernel refuses to cut trains (EINVAL), and only that.
    let one: libc::c_int = 1;
    // SAFETY: reads an int that outlives the call.
    let answer = unsafe {
        libc::setsockopt(
            a.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NO_CHECK,
            (&raw const one).cast(),
            4,
        )
    };
    assert_eq!(answer, 0);
    let train: Vec<_> = (0..30).map(|number| frame(number, 500)).collect();
    let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
    let outcome = a.send_train(&slices, &[b.local_address(), b.local_address()]);
    assert_eq!((outcome.frames_sent, outcome.stopped), (60, None));
    assert_eq!(a.counters().gso_fallbacks, 2);
    let got = frames(&mut b, 60);
    assert!(got.iter().map(|(_, bytes)| bytes).eq(train.iter().chain(&train)));
}

#[test]
fn refused_messages_are_dropped_and_counted_and_the_rest_goes() {
    let pool = pool();
    let (mut a, mut b) = (open(Choice::Mmsg, &pool), open(Choice::Mmsg, &pool));
    // A port of zero and another family are refused by the kernel; a dead port answers with an error later.
    let dead = UdpSocket::bind(LOOPBACK).expect("a socket").local_addr().expect("an address");
    let to =
        [([127, 0, 0, 1], 0).into(), dead, "[::1]:9".parse().expect("an address"), dead, b.local_address()];
    let outcome = a.send_train(&[&[7; 100], &[8; 100]], &to);
    assert_eq!((outcome.frames_sent, outcome.stopped), (6, None));
    assert_eq!(a.counters().send_errors, 4);
    assert_eq!(frames(&mut b, 2).len(), 2);
    let too_long = vec![0; 65_508];
    assert_eq!(a.send_train(&[&too_long, &[1]], &[b.local_address()]).frames_sent, 1);
    assert_eq!(a.counters().send_errors, 5);
    assert_eq!(frames(&mut b, 1)[0].1, [1]);
}
