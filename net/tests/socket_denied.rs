//! What a kernel or container denies is said and lived with. The denials are real: a seccomp filter on one thread.

#![cfg(target_endian = "little")]

mod socket_rig;

use std::net::UdpSocket;
use std::thread;

use octick::socket::{Backend, Choice, Filter, OpenError, Socket, Why};
use socket_rig::{LOOPBACK, backends, frame, frames, open, pool, settings};

/// Which calls fail: all of them, or by whether the argument of that number is that value.
#[derive(Clone, Copy)]
enum Which {
    All,
    AllBut(u32, u32),
    Only(u32, u32),
}

/// Runs `test` on a thread whose calls of `call` fail with `errno`.
fn denied(call: libc::c_long, errno: i32, which: Which, test: impl FnOnce() + Send + 'static) {
    let filter_and_test = move || {
        filter(call, errno, which);
        test();
    };
    thread::spawn(filter_and_test).join().expect("the test passed under the filter");
}

/// Puts this thread, for good, under a filter.
fn filter(call: libc::c_long, errno: i32, which: Which) {
    let load = |at| libc::sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: at,
    };
    let skip_unless = |value, skip| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: skip,
        k: value,
    };
    let answer =
        |value| libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: value };
    let fail = answer(libc::SECCOMP_RET_ERRNO | errno as u32);
    let pass = answer(libc::SECCOMP_RET_ALLOW);
    // The filter sees: number, architecture, instruction pointer, arguments; 4, 4, 8 and 8 bytes each.
    let argument = |number| load(16 + 8 * number);
    let mut program = match which {
        Which::All => vec![load(0), skip_unless(call as u32, 1), fail, pass],
        Which::AllBut(number, value) => {
            vec![
                load(0),
                skip_unless(call as u32, 3),
                argument(number),
                skip_unless(value, 2),
                pass,
                pass,
                fail,
            ]
        }
        Which::Only(number, value) => {
            vec![load(0), skip_unless(call as u32, 3), argument(number), skip_unless(value, 1), fail, pass]
        }
    };
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: both only restrict this thread; the kernel copies the program before it returns.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, u64::from(libc::SECCOMP_MODE_FILTER), &raw const program),
            0
        );
    }
}

#[test]
fn denied_io_uring_falls_back_and_says_why() {
    for (errno, word) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS"), (libc::ENOMEM, "RLIMIT_MEMLOCK")]
    {
        denied(libc::SYS_io_uring_setup, errno, Which::All, move || {
            let mut socket = open(Choice::Auto, &pool());
            assert_eq!((socket.backend(), socket.why()), (Backend::Mmsg, Why::Refused(errno)));
            let line = socket.why().to_string();
            assert!(line.contains(word) && line.ends_with("using recvmmsg"), "{line}");
            let to = [socket.local_address()];
            assert_eq!(socket.send_train(&[&[1, 2], &[3, 4]], &to).frames_sent, 2);
            assert_eq!(frames(&mut socket, 2).len(), 2);
        });
    }
}

#[test]
fn denied_buffer_rings_fall_back_too_and_nothing_stays_bound() {
    denied(libc::SYS_io_uring_register, libc::EINVAL, Which::All, || {
        let pool = pool();
        let socket = open(Choice::Auto, &pool);
        assert_eq!(
            socket.why().to_string(),
            "io_uring too old (EINVAL: Linux 6.1 is needed): using recvmmsg"
        );
        let mut again = settings(Choice::Mmsg);
        again.bind = socket.local_address();
        drop(socket);
        assert!(Socket::open(&again, &pool).is_ok());
        assert_eq!(pool.free(), pool.len());
    });
}

#[test]
fn io_uring_by_name_does_not_fall_back() {
    denied(libc::SYS_io_uring_setup, libc::EPERM, Which::All, || {
        let error = Socket::open(&settings(Choice::Uring), &pool()).expect_err("denied");
        assert!(matches!(error, OpenError::Uring(libc::EPERM)));
        assert!(error.to_string().ends_with("set the backend to auto or mmsg"), "{error}");
    });
}

#[test]
fn a_full_send_buffer_says_who_lacks_what() {
    // 13 peers, 5 messages each: the full batch of 64 goes, the last message does not.
    denied(libc::SYS_sendmmsg, libc::EAGAIN, Which::AllBut(2, 64), || {
        let pool = pool();
        let (mut a, mut b) = (open(Choice::Mmsg, &pool), open(Choice::Mmsg, &pool));
        let train: Vec<_> = [60, 60, 70, 70, 80, 80, 90, 90, 100].map(|len| frame(len, len as usize)).into();
        let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
        let outcome = a.send_train(&slices, &[b.local_address(); 13]);
        let stop = outcome.stopped.expect("full");
        assert_eq!((stop.peer, stop.frame, outcome.frames_sent), (12, 8, 12 * 9 + 8));
        assert!(stop.remaining(9, 14).eq([(12, 8..9), (13, 0..9)]));
        assert_eq!((a.counters().send_again, a.counters().send_errors), (1, 0));
        assert_eq!(frames(&mut b, 12 * 9 + 8).len(), 12 * 9 + 8);
    });
}

#[test]
fn a_send_buffer_full_from_the_start_leaves_everything() {
    denied(libc::SYS_sendmmsg, libc::EAGAIN, Which::All, || {
        let mut socket = open(Choice::Mmsg, &pool());
        let to = [socket.local_address(); 3];
        let outcome = socket.send_train(&[&[1], &[2]], &to);
        let stop = outcome.stopped.expect("full");
        assert!(outcome.frames_sent == 0 && stop.remaining(2, 3).eq([(0, 0..2), (1, 0..2), (2, 0..2)]));
    });
}

#[test]
fn a_device_that_cannot_cut_is_asked_once() {
    // Everything but a batch of two fails as a device without checksums does: the train, then not its two frames.
    denied(libc::SYS_sendmmsg, libc::EIO, Which::AllBut(2, 2), || {
        let pool = pool();
        let (mut a, mut b) = (open(Choice::Mmsg, &pool), open(Choice::Mmsg, &pool));
        for _ in 0..3 {
            let outcome = a.send_train(&[&[1, 2], &[3, 4]], &[b.local_address()]);
            assert_eq!((outcome.frames_sent, outcome.stopped), (2, None));
            assert_eq!(frames(&mut b, 2).len(), 2);
        }
        assert_eq!(a.counters().gso_fallbacks, 1);
    });
}

#[test]
fn without_a_filter_in_the_kernel_empty_datagrams_are_taken_a_batch_a_call() {
    for backend in backends() {
        let filter = Which::Only(2, libc::SO_ATTACH_FILTER as u32);
        denied(libc::SYS_setsockopt, libc::ENOMEM, filter, move || {
            let mut socket = open(backend, &pool());
            assert_eq!(socket.filter(), Filter::Refused(libc::ENOMEM));
            assert!(socket.filter().to_string().contains("net.core.optmem_max"));
            let peer = UdpSocket::bind(LOOPBACK).expect("a socket");
            for _ in 0..1_600 {
                peer.send_to(&[], socket.local_address()).expect("sent");
            }
            peer.send_to(&frame(1, 8), socket.local_address()).expect("sent");
            assert_eq!(frames(&mut socket, 1)[0].1, frame(1, 8), "{backend:?}");
            let counters = socket.counters();
            assert_eq!((counters.wrong_length, counters.filtered, counters.kernel_drops), (1_600, 0, 0));
            assert!(counters.syscalls < 200, "{backend:?}: {counters:?}");
            assert!(counters.multishot_ended < 10, "{backend:?}: {counters:?}");
        });
    }
}
