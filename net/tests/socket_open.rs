//! Opening says what is wrong, and closing lets go.

mod socket_rig;

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use octick::socket::{Choice, OpenError, Share, Socket, SocketSettings, Wait, Why};
use socket_rig::{LOOPBACK, backends, frame, frames, open, pool, settings};

#[test]
fn a_taken_port_is_named() {
    let taken = UdpSocket::bind(LOOPBACK).expect("a socket");
    let bind = taken.local_addr().expect("an address");
    for backend in backends() {
        let error = Socket::open(&SocketSettings { bind, ..settings(backend) }, &pool()).expect_err("taken");
        assert!(matches!(error, OpenError::Taken(address) if address == bind));
        let line = error.to_string();
        assert!(
            line.contains(&bind.to_string()) && line.contains("ss -lunp") && !line.contains('\n'),
            "{line}"
        );
    }
}

#[test]
fn an_address_of_someone_else_is_named() {
    let bind = "192.0.2.1:0".parse().expect("an address");
    for backend in backends() {
        let error =
            Socket::open(&SocketSettings { bind, ..settings(backend) }, &pool()).expect_err("not ours");
        assert!(error.to_string().starts_with("192.0.2.1 is no address of this machine"), "{error}");
    }
}

#[test]
fn a_ring_that_cannot_be_is_refused_with_both_numbers() {
    for ring_depth in [0, 3, 128, 8_192] {
        let settings = SocketSettings { ring_depth, ..settings(Choice::Auto) };
        let line = Socket::open(&settings, &pool()).expect_err("no such ring").to_string();
        assert!(line.contains(&format!("ring_depth {ring_depth} ")) && line.contains("64 buffers"), "{line}");
    }
}

#[test]
fn a_port_is_free_as_soon_as_its_socket_is_dropped() {
    for backend in backends() {
        let pool = pool();
        let mut bind = LOOPBACK.parse().expect("an address");
        for round in 0..50 {
            let mut socket = Socket::open(&SocketSettings { bind, ..settings(backend) }, &pool)
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
            bind = socket.local_address();
            let _ = socket.send_train(&[&frame(round, 10)], &[bind]);
            assert_eq!(frames(&mut socket, 1)[0].1, frame(round, 10), "{backend:?}");
            // Something is still queued, and the receive is still armed, when it goes.
            let _ = socket.send_train(&[&frame(round, 10)], &[bind]);
            drop(socket);
            assert_eq!(pool.free(), pool.len(), "{backend:?}");
        }
    }
}

#[test]
fn sockets_share_a_port_with_the_first_and_no_second_first_gets_it() {
    for backend in backends() {
        let pool = pool();
        let shared = SocketSettings { share: Share::First, ..settings(backend) };
        let mut first = Socket::open(&shared, &pool).expect("a socket");
        let same = SocketSettings { bind: first.local_address(), share: Share::Join, ..shared };
        let mut second = Socket::open(&same, &pool).expect("a second socket on the port");
        for share in [Share::First, Share::Alone] {
            let other = SocketSettings { share, ..same.clone() };
            let refused = Socket::open(&other, &pool).expect_err("another node's port");
            assert!(matches!(refused, OpenError::Taken(at) if at == first.local_address()), "{refused}");
        }
        let peers: Vec<_> = (0..64).map(|_| UdpSocket::bind(LOOPBACK).expect("a socket")).collect();
        for peer in &peers {
            peer.send_to(b"x", first.local_address()).expect("sent");
        }
        let mut out = Vec::with_capacity(64);
        let mut counts = [0, 0];
        while counts.iter().sum::<usize>() < 64 {
            for (socket, count) in [&mut first, &mut second].into_iter().zip(&mut counts) {
                *count += socket.poll(Wait::Micros(100), &mut out).expect("received");
                out.clear();
            }
        }
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    }
}

#[test]
fn an_opened_socket_may_move_to_the_thread_that_polls_it() {
    for backend in backends() {
        let pool = pool();
        let mut socket = open(backend, &pool);
        let moved = pool.clone();
        thread::spawn(move || {
            let to = [socket.local_address()];
            assert_eq!(socket.send_train(&[b"moved"], &to).frames_sent, 1);
            assert_eq!(frames(&mut socket, 1)[0].1, b"moved");
            drop(socket);
            assert_eq!(moved.free(), moved.len());
        })
        .join()
        .expect("received in the other thread");
    }
}

#[test]
fn a_socket_dropped_by_another_thread_gives_back_buffers_at_once_and_its_port_soon() {
    for backend in backends() {
        let pool = pool();
        let mut socket = open(backend, &pool);
        let bind = socket.local_address();
        let _ = socket.send_train(&[b"x"], &[bind]);
        frames(&mut socket, 1);
        let moved = thread::spawn(move || drop(socket));
        moved.join().expect("dropped");
        assert_eq!(pool.free(), pool.len(), "{backend:?}");
        let start = Instant::now();
        while Socket::open(&SocketSettings { bind, ..settings(backend) }, &pool).is_err() {
            assert!(start.elapsed() < Duration::from_secs(5), "{backend:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_second_thread_that_polls_is_told() {
    for backend in backends() {
        let mut socket = open(backend, &pool());
        let mut out = Vec::with_capacity(4);
        socket.poll(Wait::None, &mut out).expect("polled");
        let answer =
            thread::spawn(move || socket.poll(Wait::Micros(10), &mut out).map_err(|error| error.to_string()));
        match answer.join().expect("polled") {
            Err(line) => assert_eq!(
                (backend, &line[..]),
                (Choice::Uring, "the socket was polled by another thread before")
            ),
            Ok(_) => assert_eq!(backend, Choice::Mmsg),
        }
    }
}

#[test]
fn the_backend_is_as_asked() {
    for backend in backends() {
        assert_eq!(open(backend, &pool()).why(), Why::Asked);
    }
}
