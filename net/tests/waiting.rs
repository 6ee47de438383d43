//! Waiting for what changes: threads, tasks and descriptors, on real nodes over loopback.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_core::Stream;
use octick::{
    Change, Changes, Config, Handle, Identity, Layout, Mode, Next, Peer, RecvError, Run, Slot, TableKind,
    TryRecvError, Update,
};

const LAYOUT: Layout = Layout { slots: 4_096, cells8: true, cells4: true, rows: true };
const PATIENCE: Duration = Duration::from_secs(20);

fn run(n: usize) -> Run {
    Run { first: Slot(1_024 * n as u32), len: 1_024 }
}

/// Two nodes that list each other.
fn pair(change: impl Fn(&mut Config)) -> [Handle; 2] {
    let held = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
    let addresses: [SocketAddr; 2] = held.map(|socket| socket.local_addr().expect("bound"));
    let identity = |n: usize| Identity::from_seed(&[n as u8 + 1; 32]);
    [0, 1].map(|n| {
        let mut config = Config::new(identity(n), addresses[n]);
        config.layout = LAYOUT;
        config.runs = vec![run(n)];
        let key = identity(1 - n).public().clone();
        let addr = Some(addresses[1 - n]);
        config.peers = vec![Peer { key, addr, runs: vec![run(1 - n)], revoked: false }];
        config.push.flush = Duration::ZERO;
        change(&mut config);
        octick::start(config.check().expect("the configuration holds together")).expect("the node starts")
    })
}

/// The least of an executor: polls a future on this thread, which sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Has node 0 write a cell, again and again, each time after `wait` has returned the change that the last made on node 1.
fn to_and_fro(nodes: &[Handle; 2], rounds: u64, mut wait: impl FnMut() -> Change) {
    let (writer, reader) = (nodes[0].writer(), nodes[1].reader());
    for value in 1..=rounds {
        writer.write(Update::Cell8(Slot(9), value)).expect("its own cell");
        loop {
            let change = wait();
            assert!(change.slots().eq([Slot(9)]));
            let found = reader.cell8(Slot(9)).expect("it changed").value;
            if found == value {
                break;
            }
            // Sent again, perhaps; never what was not written yet.
            assert!(found < value);
        }
    }
}

fn change(next: Next) -> Change {
    let Next::Change(change) = next else { panic!("nothing was missed, but {next:?}") };
    change
}

#[test]
fn no_thread_sleeps_through_a_change_of_another_node() {
    for mode in [Mode::Solo, Mode::Split { ingress: 1 }] {
        let nodes = pair(|config| config.threads.mode = mode);
        let mut changes = nodes[1].subscribe();
        to_and_fro(&nodes, 2_000, || change(changes.recv(PATIENCE).expect("woken in time")));
    }
}

#[test]
fn no_task_sleeps_through_a_change_of_another_node() {
    let nodes = pair(|_| ());
    let mut changes = nodes[1].subscribe();
    to_and_fro(&nodes, 1_000, || change(block_on(changes.next()).expect("the node runs")));
    let mut stream = pin!(nodes[1].subscribe());
    to_and_fro(&nodes, 100, || {
        let next = std::future::poll_fn(|context| Pin::new(&mut stream).as_mut().poll_next(context));
        change(block_on(next).expect("the node runs"))
    });
}

#[test]
fn many_wait_and_all_are_woken() {
    let nodes = pair(|_| ());
    thread::scope(|scope| {
        for waits in [true, false].repeat(4) {
            let mut changes = nodes[1].subscribe();
            scope.spawn(move || {
                let next = if waits {
                    changes.recv(PATIENCE).expect("woken in time")
                } else {
                    block_on(changes.next()).expect("the node runs")
                };
                assert!(change(next).slots().eq([Slot(1)]));
            });
        }
        nodes[0].writer().write(Update::Row(Slot(1), 1)).expect("its own cell");
    });
}

/// Whether a descriptor is readable within `timeout`.
fn is_readable(descriptor: &impl AsFd, timeout: Duration) -> bool {
    let fd = descriptor.as_fd().as_raw_fd();
    let mut polled = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one live pollfd, as the count says.
    let ready = unsafe { libc::poll(&raw mut polled, 1, timeout.as_millis() as i32) };
    ready == 1 && polled.revents & libc::POLLIN != 0
}

#[test]
fn a_descriptor_is_readable_when_something_changed_and_not_before() {
    let [writes, reads] = pair(|_| ());
    let mut changes = reads.subscribe().pollable().expect("a descriptor");
    for value in 1..=100 {
        assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));
        assert!(!is_readable(&changes, Duration::ZERO), "nothing has changed");
        writes.writer().write(Update::Row(Slot(1), value)).expect("its own cell");
        assert!(is_readable(&changes, PATIENCE));
        change(changes.try_recv().expect("it is readable"));
    }
    reads.stop().expect("it ran");
    assert!(is_readable(&changes, PATIENCE));
    assert_eq!(changes.try_recv(), Err(TryRecvError::Closed));
    assert!(is_readable(&changes, Duration::ZERO), "and stays so");
}

#[test]
fn subscribers_read_what_is_left_and_then_waiting_ends_with_the_node() {
    type End = fn(Handle);
    let ends: [End; 3] = [
        |node| drop(node.stop().expect("it ran")),
        |node| drop(node.shutdown(PATIENCE).expect("it ran")),
        drop,
    ];
    for end in ends {
        let [node, _] = pair(|_| ());
        let mut waiting: Vec<Changes> = (0..2).map(|_| node.subscribe()).collect();
        let (mut polls, mut events) = (node.subscribe(), node.events());
        node.writer().write(Update::Row(Slot(1), 1)).expect("its own cell");
        change(polls.recv(PATIENCE).expect("woken in time"));
        thread::scope(|scope| {
            let (mut task, mut thread) = (waiting.pop().expect("two"), waiting.pop().expect("two"));
            scope.spawn(move || {
                change(block_on(task.next()).expect("what came before the end"));
                assert_eq!(block_on(task.next()), None);
            });
            scope.spawn(move || {
                change(thread.recv(PATIENCE).expect("what came before the end"));
                assert_eq!(thread.recv(PATIENCE), Err(RecvError::Closed));
            });
            scope.spawn(move || assert_eq!(events.recv(PATIENCE), Err(RecvError::Closed)));
            end(node);
        });
        assert_eq!(polls.try_recv(), Err(TryRecvError::Closed));
    }
}

#[test]
fn who_missed_changes_is_told_where_to_look_instead() {
    let [node, _] = pair(|config| config.changes_ring = 2);
    let writer = node.writer();
    let mut changes = node.subscribe();
    let updates: Vec<Update> = (0..40)
        .flat_map(|i| {
            [Update::Cell8(Slot(3 * i), 1), Update::Cell4(Slot(5 * i), 1), Update::Row(Slot(7 * i), 1)]
        })
        .collect();
    writer.write_all(&updates).expect("its own cells");
    let mut woken = node.subscribe();
    while node.reader().row(Slot(7 * 39)).is_none() || node.reader().cell4(Slot(5 * 39)).is_none() {
        woken.recv(PATIENCE).expect("woken in time");
    }
    let missed = loop {
        match changes.recv(PATIENCE).expect("more changed than the ring holds") {
            Next::Missed(missed) => break missed,
            Next::Change(_) => {}
        }
    };
    assert!(missed.count > 0);
    let found: Vec<(TableKind, Slot)> = missed
        .rescan(&node.reader())
        .flat_map(|change| change.slots().map(move |slot| (change.table, slot)))
        .collect();
    let mut written: Vec<(TableKind, Slot)> = updates.iter().map(Update::place).collect();
    written.sort_unstable();
    assert_eq!(found, written);
}

#[test]
fn waiting_ends_in_time_when_nothing_changes() {
    let [node, _] = pair(|_| ());
    assert_eq!(node.subscribe().recv(Duration::from_millis(5)), Err(RecvError::Timeout));
    assert_eq!(node.events().recv(Duration::from_millis(5)), Err(RecvError::Timeout));
}
