//! Whatever the backend, what is sent is what arrives.

mod socket_rig;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use octick::socket::{Filter, Socket, SocketSettings, Wait};
use octick_core::limits::{FRAME_MAX, FRAME_MIN};
use socket_rig::{LOOPBACK, backends, frame, frames, open, poll_until, pool, settings};

#[test]
fn single_datagrams_arrive_with_their_sender() {
    for backend in backends() {
        let pool = pool();
        let mut socket = open(backend, &pool);
        let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
        let from = peer.local_addr().expect("an address");
        let sent: Vec<_> = (0..200).map(|number| frame(number, 1 + (number as usize * 97) % 1_400)).collect();
        let mut got = Vec::new();
        for burst in sent.chunks(50) {
            for datagram in burst {
                peer.send_to(datagram, socket.local_address()).expect("sent");
            }
            got.extend(frames(&mut socket, burst.len()));
        }
        let expected: Vec<_> = sent.into_iter().map(|datagram| (from, datagram)).collect();
        assert_eq!(got, expected, "{backend:?}");
        drop(socket);
        assert_eq!(pool.free(), pool.len(), "{backend:?}");
    }
}

#[test]
fn trains_arrive_whole_with_their_frame_boundaries() {
    for backend in backends() {
        let pool = pool();
        let (mut socket, mut peer) = (open(backend, &pool), open(backend, &pool));
        for (count, len, last) in [(53, 1_232, 1_232), (64, 1_000, 17), (64, 200, 200), (2, 1, 1), (1, 9, 9)]
        {
            let mut train: Vec<_> = (0..count).map(|number| frame(number, len)).collect();
            *train.last_mut().expect("a frame") = frame(77, last);
            let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
            let outcome = peer.send_train(&slices, &[socket.local_address()]);
            assert_eq!((outcome.frames_sent, outcome.stopped), (train.len(), None));
            poll_until(&mut socket, |out| {
                let Some(arrival) = out.pop() else { return false };
                assert_eq!((arrival.count(), arrival.segment()), (train.len(), len), "{backend:?}");
                assert!(arrival.frames().eq(slices.iter().copied()));
                true
            });
        }
        assert_eq!(socket.counters().arrivals, 5);
    }
}

#[test]
fn without_gro_each_frame_is_an_arrival() {
    for backend in backends() {
        let pool = pool();
        let settings = SocketSettings { gro: false, ..settings(backend) };
        let mut socket = Socket::open(&settings, &pool).expect("a socket");
        let train: Vec<_> = (0..40).map(|number| frame(number, 1_232)).collect();
        let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
        let to = [socket.local_address()];
        assert_eq!(socket.send_train(&slices, &to).frames_sent, 40);
        let got = frames(&mut socket, 40);
        assert!(got.iter().map(|(_, bytes)| bytes).eq(&train), "{backend:?}");
        assert_eq!(socket.counters().arrivals, 40);
    }
}

#[test]
fn datagrams_of_no_frames_length_cost_nothing() {
    for backend in backends() {
        let pool = pool();
        let bind = LOOPBACK.parse().expect("an address");
        let settings = SocketSettings { backend, ..SocketSettings::new(bind) };
        let mut socket = Socket::open(&settings, &pool).expect("a socket");
        assert_eq!(socket.filter(), Filter::Attached);
        let mut out = Vec::with_capacity(64);
        socket.poll(Wait::None, &mut out).expect("armed");
        let armed = socket.counters();
        let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
        for len in [0, 1, FRAME_MIN - 1] {
            for number in 0..100 {
                peer.send_to(&frame(number, len), socket.local_address()).expect("sent");
            }
        }
        for len in [FRAME_MIN, FRAME_MAX] {
            peer.send_to(&frame(7, len), socket.local_address()).expect("sent");
        }
        let got: Vec<_> = frames(&mut socket, 2).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(got, [frame(7, FRAME_MIN), frame(7, FRAME_MAX)], "{backend:?}");
        let counters = socket.counters();
        assert_eq!(counters.filtered + counters.kernel_drops, 300, "{backend:?}: {counters:?}");
        assert_eq!((counters.wrong_length, counters.multishot_ended), (0, 0), "{backend:?}: {counters:?}");
        assert!(counters.syscalls - armed.syscalls < 10, "{backend:?}: {counters:?}");
    }
}

#[test]
fn datagrams_and_trains_too_long_or_too_short_for_frames_do_not_arrive() {
    for backend in backends() {
        for gro in [true, false] {
            let bind = LOOPBACK.parse().expect("an address");
            let settings = SocketSettings { backend, gro, ..SocketSettings::new(bind) };
            let mut socket = Socket::open(&settings, &pool()).expect("a socket");
            let mut peer = open(backend, &pool());
            let to = [socket.local_address()];
            let long = [frame(1, FRAME_MAX + 1), frame(2, 9_000), frame(3, 65_507)];
            for datagram in &long {
                assert_eq!(peer.send_train(&[datagram], &to).frames_sent, 1);
            }
            let train = |len| (0..4).map(|number| frame(number, len)).collect::<Vec<_>>();
            for train in [train(FRAME_MAX + 1), train(FRAME_MIN - 1), train(FRAME_MIN)] {
                let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
                assert_eq!(peer.send_train(&slices, &to).frames_sent, 4);
            }
            let got: Vec<_> = frames(&mut socket, 4).into_iter().map(|(_, bytes)| bytes).collect();
            assert_eq!(got, train(FRAME_MIN), "{backend:?}");
            let counters = socket.counters();
            // Those that could be trains are told from them here; the others did not get this far.
            let expected = if gro { (11, 0) } else { (0, 11) };
            let seen = (counters.wrong_length, counters.filtered + counters.kernel_drops);
            assert_eq!(seen, expected, "{backend:?}: {counters:?}");
        }
    }
}

/// Which is which is known by what the whole network namespace lost: a round in which another test's or process's socket
/// overflows may blur it, so one of some must be clear.
#[test]
fn what_a_full_buffer_drops_is_told_from_what_the_filter_drops() {
    for backend in backends() {
        let frame_lens = 100..=FRAME_MAX;
        let settings = SocketSettings { receive_buffer_bytes: 16_384, frame_lens, ..settings(backend) };
        let socket = Socket::open(&settings, &pool()).expect("a socket");
        let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
        let dropped = |len| {
            let before = socket.counters();
            for number in 0..500 {
                peer.send_to(&frame(number, len), socket.local_address()).expect("sent");
            }
            let after = socket.counters();
            (after.kernel_drops - before.kernel_drops, after.filtered - before.filtered)
        };
        // Fills the buffer, so that from now on every frame is dropped.
        dropped(FRAME_MAX);
        let clear = (0..100).any(|_| dropped(FRAME_MAX) == (500, 0) && dropped(99) == (0, 500));
        assert!(clear, "{backend:?}: {:?}", socket.counters());
    }
}

#[test]
fn held_arrivals_pause_reception_and_it_recovers() {
    for backend in backends() {
        let pool = pool();
        let mut socket = open(backend, &pool);
        let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
        for number in 0..100 {
            peer.send_to(&frame(number, 100), socket.local_address()).expect("sent");
        }
        let mut held = Vec::with_capacity(100);
        let start = Instant::now();
        while socket.counters().no_buffers == 0 {
            socket.poll(Wait::Micros(50), &mut held).expect("received");
            assert!(start.elapsed() < Duration::from_secs(5), "{backend:?}: {:?}", socket.counters());
        }
        assert_eq!((held.len(), pool.free()), (64, 0), "{backend:?}");
        // Nothing in the kernel could wake a sleeper now, so it does not sleep.
        let start = Instant::now();
        assert_eq!(socket.poll(Wait::Park(Duration::from_secs(9)), &mut held).expect("polled"), 0);
        assert!(start.elapsed() < Duration::from_secs(5), "{backend:?}");
        let first: Vec<_> = held
            .drain(..)
            .flat_map(|arrival| arrival.frames().map(<[u8]>::to_vec).collect::<Vec<_>>())
            .collect();
        let rest = frames(&mut socket, 36).into_iter().map(|(_, bytes)| bytes);
        assert!(first.into_iter().chain(rest).eq((0..100).map(|number| frame(number, 100))), "{backend:?}");
        drop(socket);
        assert_eq!(pool.free(), 64);
    }
}

#[test]
fn a_flood_overflows_the_kernels_buffer_and_is_counted() {
    for backend in backends() {
        let pool = pool();
        let settings = SocketSettings { receive_buffer_bytes: 16_384, ..settings(backend) };
        let mut socket = Socket::open(&settings, &pool).expect("a socket");
        assert!(socket.receive_buffer_bytes() <= 65_536);
        let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
        // Armed before the flood: what arrives now waits in the kernel all the same, until the next poll.
        let mut out = Vec::with_capacity(64);
        socket.poll(Wait::None, &mut out).expect("armed");
        for number in 0..500 {
            peer.send_to(&frame(number, 1_232), socket.local_address()).expect("sent");
        }
        let (mut got, start) = (0, Instant::now());
        while got + socket.counters().kernel_drops < 500 {
            assert!(start.elapsed() < Duration::from_secs(5), "{backend:?}: {got}, {:?}", socket.counters());
            socket.poll(Wait::Micros(1_000), &mut out).expect("received");
            got += out.drain(..).count() as u64;
        }
        let counters = socket.counters();
        assert!(counters.kernel_drops > 0 && got == counters.arrivals, "{backend:?}: {got}, {counters:?}");
        assert_eq!(got + counters.kernel_drops, 500, "{backend:?}: {counters:?}");
    }
}

#[test]
fn truncated_datagrams_are_dropped_and_counted() {
    for backend in backends() {
        let pool = std::sync::Arc::new(octick::pool::Pool::with_payload(16, 500).expect("memory"));
        let mut socket = open(backend, &pool);
        let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
        for len in [501, 500, 9_000, 499] {
            peer.send_to(&frame(len as u32, len), socket.local_address()).expect("sent");
        }
        let got: Vec<_> = frames(&mut socket, 2).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(got, [frame(500, 500), frame(499, 499)], "{backend:?}");
        assert_eq!(socket.counters().truncated, 2, "{backend:?}");
    }
}

#[test]
fn arrivals_carry_the_time_of_the_kernel_if_asked() {
    for backend in backends() {
        for stamps in [true, false] {
            let pool = pool();
            let mut socket =
                Socket::open(&SocketSettings { stamps, ..settings(backend) }, &pool).expect("a socket");
            let now_ns =
                || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
            let (before_ns, to) = (now_ns(), [socket.local_address()]);
            assert_eq!(socket.send_train(&[&[1; 10], &[2; 10]], &to).frames_sent, 2);
            poll_until(&mut socket, |out| {
                let Some(arrival) = out.pop() else { return false };
                assert_eq!(arrival.count(), 2);
                let stamp_ns = arrival.stamp_ns();
                // The kernel starts stamping a moment after the first socket asks; until then it stamps on delivery.
                assert_eq!((before_ns..=now_ns()).contains(&stamp_ns), stamps, "{backend:?}: {stamp_ns}");
                assert!(stamps || stamp_ns == 0);
                true
            });
        }
    }
}

#[test]
fn frames_outlive_the_path_as_bytes_without_a_copy() {
    for backend in backends() {
        let pool = pool();
        let mut socket = open(backend, &pool);
        let to = [socket.local_address()];
        let _ = socket.send_train(&[&frame(1, 600), &frame(2, 600)], &to);
        let mut kept = None;
        poll_until(&mut socket, |out| {
            kept = out.pop().map(|arrival| (arrival.bytes().as_ptr(), arrival.into_bytes()));
            kept.is_some()
        });
        let (place, bytes) = kept.expect("an arrival");
        assert_eq!(bytes.as_ptr(), place);
        drop(socket);
        let second = bytes.slice(600..);
        drop(bytes);
        assert_eq!((pool.free(), &second[..]), (63, &frame(2, 600)[..]));
        drop(second);
        assert_eq!(pool.free(), 64);
    }
}

#[test]
fn a_v6_socket_talks_to_v4_peers_too() {
    for backend in backends() {
        let pool = pool();
        let bind: SocketAddr = "[::]:0".parse().expect("an address");
        let Ok(mut socket) = Socket::open(&SocketSettings { bind, ..settings(backend) }, &pool) else {
            eprintln!("skipped: no IPv6 here");
            return;
        };
        let mut peer = open(backend, &pool);
        let port = socket.local_address().port();
        assert_eq!(peer.send_train(&[b"four"], &[([127, 0, 0, 1], port).into()]).frames_sent, 1);
        assert_eq!(frames(&mut socket, 1), [(peer.local_address(), b"four".to_vec())]);
        assert_eq!(socket.send_train(&[b"back"], &[peer.local_address()]).frames_sent, 1);
        assert_eq!(frames(&mut peer, 1), [(([127, 0, 0, 1], port).into(), b"back".to_vec())]);
    }
}

#[test]
fn a_poll_takes_no_more_than_there_is_room_for() {
    for backend in backends() {
        let pool = pool();
        let mut socket = open(backend, &pool);
        let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
        for number in 0..30 {
            peer.send_to(&frame(number, 8), socket.local_address()).expect("sent");
        }
        let mut numbers = 0;
        while numbers < 30 {
            let mut out = Vec::with_capacity(7);
            let taken = socket.poll(Wait::Micros(1_000), &mut out).expect("received");
            assert!(taken == out.len() && taken <= out.capacity());
            for arrival in out {
                assert_eq!(arrival.bytes(), frame(numbers, 8), "{backend:?}");
                numbers += 1;
            }
        }
    }
}
